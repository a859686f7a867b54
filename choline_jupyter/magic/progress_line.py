"""How far a training is, on a line of its cell's output that is updated while it runs: step, loss with its curve, time left.

Made by `magic.notebook` for each cell that is followed; called by the thread that shows. There is none for what tells of no
steps, for what is over in some seconds, in a terminal, and on this machine, whose cells show what they print and no more.
"""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from choline_jupyter.session.progress_record import render_progress

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.outcome import Outcome

_FIRST, _AGAIN = 3.0, 2.0  # seconds until it is there, and between two of its updates


class ProgressLine:
    """One cell's; `outcome` learns what the job tells."""

    def __init__(self, shell: InteractiveShell, session: LiveSession, outcome: Outcome, first: float = _FIRST) -> None:
        self._publisher: Any = shell.display_pub
        self._is_wanted = hasattr(shell, "kernel") and session.row.machine != "this machine"
        self._outcome = outcome
        self._due = time.monotonic() + first
        self._name, self._shown = "", ""

    def tick(self) -> None:
        """Some time may have passed; costs nothing until an update is due."""
        now = time.monotonic()
        if self._is_wanted and now >= self._due:
            self._due = now + _AGAIN
            self._show(is_running=True)

    def close(self) -> None:
        """The cell has ended: the line says how far it came, and stays."""
        if self._name:
            self._show(is_running=False)

    def _show(self, *, is_running: bool) -> None:
        text = render_progress(self._outcome.telling.progress, is_running)
        if text and text != self._shown:
            is_new, self._shown = not self._name, text
            self._name = self._name or uuid4().hex
            data = {"text/plain": f"choline: {text}", "text/html": f"<small><b>choline</b> {html.escape(text)}</small>"}
            self._publisher.publish(data, {}, transient={"display_id": self._name}, update=not is_new)
