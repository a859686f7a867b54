"""One job of a sweep, as far as it is known: where it runs, how far it is, how well it does.

Made and changed by `session.sweep.runner` in the engine's loop; read by whoever shows it.
"""

from __future__ import annotations

import ast
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobState
from choline_jupyter.session.progress_record import ProgressReader
from choline_jupyter.session.sweep.grid import Parameters

RESULT = "result"  # the name of what the cell's last line is, where that is a number


@dataclass
class SweepJob:
    """`number` counts from 1. `id` is that of the job that stands for it now: one that was lost with its session got another.

    `times` are by this machine's clock. `trouble` is one line on why it has failed.
    """

    number: int
    parameters: Parameters
    code: str
    id: str = ""
    state: JobState = JobState.QUEUED
    where: str = ""
    attempt: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    trouble: str = ""
    result: float | None = None
    reader: ProgressReader = field(default_factory=ProgressReader)

    @property
    def seconds(self) -> float | None:
        """How long it has run; None before it began."""
        return None if self.started_at is None else (self.ended_at or time.time()) - self.started_at

    def begin_attempt(self, name: str, where: str) -> None:
        """It was sent to a session; nothing of an earlier attempt counts."""
        self.id, self.where, self.state = name, where, JobState.QUEUED
        self.attempt += 1
        self.started_at = self.ended_at = self.result = None
        self.trouble, self.reader = "", ProgressReader()

    def begin(self) -> None:
        """Its session has come to it."""
        self.state, self.started_at = JobState.RUNNING, time.time()

    def read(self, event: Event) -> None:
        """One of its events."""
        if event.kind is Kind.RESULT:
            self.result = _read_number(event)
        else:
            self.reader.read(event)

    def end(self, state: JobState, trouble: str = "") -> None:
        """It is over."""
        self.reader.close()
        self.state, self.trouble, self.ended_at = state, trouble, time.time()

    def list_values(self, metric: str = "") -> list[float]:
        """A metric's values in their order: of its loss without a name, else of what the cell's last line is."""
        values = [self.result] if self.result is not None else []
        if metric == RESULT:
            return values
        return self.reader.progress.list_values(metric) or ([] if metric else values)

    def find_best(self, metric: str = "", largest: bool = False) -> float | None:
        """The smallest of these, or the largest."""
        values = [value for value in self.list_values(metric) if math.isfinite(value)]
        return (max if largest else min)(values, default=None)

    def name_metric(self) -> str:
        """What it is compared by without a name; empty while nothing is known."""
        return self.reader.progress.find_loss() or (RESULT if self.result is not None else "")


def find_best(jobs: Sequence[SweepJob], metric: str = "", largest: bool = False) -> SweepJob | None:
    """The job that did best; None where none has told of the metric."""
    found = [(value, job) for job in jobs if (value := job.find_best(metric, largest)) is not None]
    return (max if largest else min)(found, key=lambda pair: pair[0], default=(0.0, None))[1]


def _read_number(event: Event) -> float | None:
    data: Any = event.read_content().get("data")
    text = str(data.get("text/plain", ""))[:100] if isinstance(data, dict) else ""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
