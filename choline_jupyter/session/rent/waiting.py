"""What a machine is waited for, on one line of stderr for each stage: what is done, how long it takes, what it has cost.

Made by `session.rent.tenancy` for one rent; `tell` and `tick` are called in the engine's loop.
"""

from __future__ import annotations

import io
import sys
import time

from choline_jupyter.session.rent.meter import render_money

_WIDTH = 78


class WaitingLine:
    """Owns the last line of stderr while a machine is waited for."""

    def __init__(self) -> None:
        self._begun = self._since = time.monotonic()
        self._text = ""
        self._cost = 0.0
        self._is_live = can_overwrite()

    def tell(self, stage: str, text: str) -> None:
        """A stage begins; the line of the one before stays."""
        self._finish()
        self._text, self._since = text, time.monotonic()
        self.tick(self._cost)

    def pause(self) -> None:
        """Somebody else writes: nothing more comes of this stage."""
        self._finish()
        self._text = ""

    def tick(self, cost: float) -> None:
        """Some time has passed; `cost` is in USD so far."""
        self._cost = cost
        if self._is_live and self._text:
            self._write(self._describe())

    def close(self, text: str) -> None:
        """It is over, with this as the last word."""
        self._finish()
        self._text = ""
        seconds = time.monotonic() - self._begun
        sys.stderr.write(f"choline: {text} after {seconds:.0f} s{self._describe_cost()}.\n")
        sys.stderr.flush()

    def _describe_cost(self) -> str:
        return f", {render_money(self._cost)} so far" if self._cost else ""

    def _finish(self) -> None:
        if self._text and not self._is_live:
            self._write(self._describe())
        if self._text:
            sys.stderr.write("\n")
            sys.stderr.flush()

    def _describe(self) -> str:
        return f"choline: {self._text}: {time.monotonic() - self._since:.0f} s{self._describe_cost()}"

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" * self._is_live + text[:_WIDTH].ljust(_WIDTH * self._is_live))
        sys.stderr.flush()


def can_overwrite() -> bool:
    """A terminal's line can be written over, and a notebook's; in a file each would be one more."""
    return sys.stderr.isatty() or not isinstance(sys.stderr, io.TextIOWrapper)
