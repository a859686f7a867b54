"""Whether the machine is about to be taken away: then a checkpoint is due, whatever the step.

Used by `training.checkpoints`. The agent makes a file; a SIGTERM to the job's own process says the same, where the job has no
handler of its own.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Optional

from choline_jupyter.training.channel import Order


class Notices:
    """Of one process; each notice asks for one checkpoint."""

    def __init__(self) -> None:
        self._is_signalled = False
        self._answered: dict[str, int] = {}  # by file, which notice was answered with a checkpoint

    def listen(self, order: Order) -> None:
        """Take a SIGTERM as a notice from now on: under an agent, and where it would otherwise end the process at once."""
        is_ours = order.notice and threading.current_thread() is threading.main_thread()
        if is_ours and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._note_signal)

    def take(self, order: Order) -> bool:
        """Whether there is one that was not answered yet; it is now."""
        is_new = self._is_signalled
        self._is_signalled = False
        made = _find_time(order.notice)
        if made and self._answered.get(order.notice) != made:
            self._answered[order.notice] = made
            is_new = True
        return is_new

    def _note_signal(self, _number: int, _frame: Optional[FrameType]) -> None:
        self._is_signalled = True


def _find_time(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns if path else 0
    except OSError:
        return 0
