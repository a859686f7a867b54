"""Interrupts while a cell waits for its remote job: the local SIGINT becomes an interrupt of the job.

Used by `magic.stage` and `cli`. The signal must not raise in the middle of showing an event, so for the time of waiting it only
sets a note; the second one, should the job not react to the first, leaves the job to itself.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from choline_jupyter.errors import Interrupted

_SLICE = 0.2
_REPEAT = 2.0


class Interrupts:
    """A context manager for the main thread; in other threads signals do not arrive and it does nothing."""

    def __init__(self, forward: Callable[[], None]) -> None:
        self.patience = _SLICE
        self._forward = forward
        self._previous: Any = None
        self._is_main = threading.current_thread() is threading.main_thread()
        self._forwarded = 0.0
        self._is_given_up = False

    def __enter__(self) -> Interrupts:  # noqa: PYI034 - Self is new in Python 3.11
        if self._is_main:
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_main:
            signal.signal(signal.SIGINT, self._previous)

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """For the time of an `input()`: a signal raises KeyboardInterrupt as usual."""
        if not self._is_main:
            yield
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, self._note)

    def check(self, job: str) -> None:
        """Raise Interrupted when the user has given up waiting."""
        if self._is_given_up:
            raise Interrupted(
                f"Stopped waiting for {job}; it has not reacted to the interrupt and may go on.",
                f"`%choline attach {job}` shows it, `%choline stop` ends its session.",
            )

    def _note(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if self._forwarded and now - self._forwarded > _REPEAT:
            self._is_given_up = True
        else:
            self._forwarded = self._forwarded or now
            self._forward()
