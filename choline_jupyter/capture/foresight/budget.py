"""How much work one call of `foresee` may do, so that no code, however odd, keeps the user waiting."""

from __future__ import annotations


class Exhausted(Exception):
    """The budget is spent; what was found so far stands."""


class Budget:
    """Counts steps: about one per expression, more for a question to the disk."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise Exhausted

    def grant(self, steps: int) -> None:
        """A little more, to finish with."""
        self._left = steps
