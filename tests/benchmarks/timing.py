"""What one run of a cell took, as every path reports it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Timing:
    """Seconds from sending the code to the first output and to the end, and what came between.

    `finished` is when it ended, by `time.perf_counter`. `first` is infinite where there was no output. `is_complete` is
    false when the message that ends a cell was lost.
    """

    first: float = float("inf")
    done: float = 0.0
    finished: float = 0.0
    lines: int = 0
    messages: int = 0
    is_complete: bool = True
