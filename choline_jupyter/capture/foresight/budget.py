"""How much work one call of `foresee` may do, so that no code, however odd, keeps the user waiting."""

from __future__ import annotations


class Exhausted(Exception):
    """The budget is spent; what was found so far stands."""


class Budget:
    """Counts steps: about one per expression, more for a question to the disk."""

    def __init__(self, steps: int) -> None:
        self._left = steps
        self._floor = 0

    def spend(self, steps: int) -> None:
        """Raises Exhausted once what is allowed is used up."""
        self._left -= steps
        if self._left < self._floor:
            raise Exhausted

    def allow(self, divisor: int) -> None:
        """From now on a part of what is left, so that one piece of code leaves something to the next."""
        self._floor = self._left - max(self._left, 0) // divisor

    def grant(self, steps: int) -> None:
        """A little more, to finish with."""
        self._left, self._floor = steps, 0
