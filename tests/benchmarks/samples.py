"""Measured values and how they are taken: paths in turn, round after round, with the garbage collector off.

Used by every benchmark. Values are seconds, or another unit that the caller states.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping

QUICK = bool(os.environ.get("CHOLINE_BENCH_QUICK"))

Measure = Callable[[], Mapping[str, float]]


class Samples:
    """Values of one quantity, in the order in which they were taken."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def add(self, value: float) -> None:
        self.values.append(value)

    def find_quantile(self, share: float) -> float:
        """The value below which about `share` (0 to 1) of the samples lie; NaN without samples."""
        if not self.values:
            return float("nan")
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    @property
    def median(self) -> float:
        return self.find_quantile(0.5)


def interleave(paths: Mapping[str, Measure], rounds: int, repeats: int = 1) -> dict[str, Samples]:
    """Measure each path `repeats` times, one path after the other, and that `rounds` times.

    The machine's other load then falls on all paths alike. A measure gives one value per quantity; the samples come
    back by `path quantity`.
    """
    found: dict[str, Samples] = {}
    for _ in range(rounds):
        for name, measure in paths.items():
            for quantity, value in _repeat(measure, repeats):
                found.setdefault(f"{name} {quantity}", Samples()).add(value)
    return found


def choose(full: int, quick: int) -> int:
    """How often, or how much: in full, or for a quick look."""
    return quick if QUICK else full


def _repeat(measure: Measure, repeats: int) -> list[tuple[str, float]]:
    gc.collect()
    gc.disable()
    try:
        return [item for _ in range(repeats) for item in measure().items()]
    finally:
        gc.enable()
