"""How far a transfer is, on one line of stderr that is written over; nothing for what takes less than a second.

Made by `session.cargo`; `note` is called in the engine's thread, which owns the line meanwhile.
"""

from __future__ import annotations

import sys
import time

_FIRST = 1.0  # seconds before there is a line
_AGAIN = 0.25
_WIDTH = 70


class TransferLine:
    """`total` is in bytes."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._done = 0
        self._begun = self._shown = time.monotonic()
        self._has_line = False

    def note(self, count: int) -> None:
        """So many bytes more have arrived."""
        self._done += count
        now = time.monotonic()
        if now - self._begun >= _FIRST and now - self._shown >= _AGAIN:
            self._shown, self._has_line = now, True
            self._write(self._describe(now - self._begun))

    def close(self) -> None:
        """The transfer is over: the line goes."""
        if self._has_line:
            self._write("")
            sys.stderr.write("\r")
            sys.stderr.flush()

    def _describe(self, seconds: float) -> str:
        rate = self._done / seconds
        left = max(0.0, self._total - self._done) / rate if rate else 0.0
        share = min(100, 100 * self._done // max(1, self._total))
        return f"choline: {self._what}: {share} %, {rate / 1e6:.1f} MB/s, {left:.0f} s left"

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(_WIDTH))
        sys.stderr.flush()
