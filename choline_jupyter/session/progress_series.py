"""How far a job is, for whoever draws it: the last of its steps and metrics, and each metric over time, as plain data.

Called by `server` and by the verbs; reads the event store only. Costs what the job has told, not what it has printed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from choline_jupyter.model.event import Kind
from choline_jupyter.session.progress_record import Progress, read_progress, render_progress

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.job import JobRow

_EVENTS = 20_000
_TEXTS = 2_000  # events of an older agent's job that are searched
_TOLD = (Kind.METRIC, Kind.PROGRESS, Kind.CHECKPOINT)


def find_progress(store: EventStore, job: str) -> Progress:
    """What the store has of a job's progress."""
    told = store.read_last(job, _TOLD, _EVENTS)
    found = read_progress(told)
    return found if found.points else read_progress([*told, *store.read_last(job, (Kind.STREAM,), _TEXTS)])


def describe_progress(store: EventStore, row: JobRow, points: int = 120) -> dict[str, Any] | None:
    """A job's progress as JSON; None for a job that tells of none.

    `step`, `total`, `epoch`, `epochs`, `left` (seconds) are null where they are not known; `loss` is the name of the metric that
    is made smaller; `metrics` has the last value of each; `series` has of each at most so many `[place, value]`, evenly chosen,
    the first and the last among them: place is the step, else the epoch, else a count. What is no finite number is null.
    `text` is all that in one line.
    """
    progress = find_progress(store, row.id)
    if not progress.points:
        return None
    names = list(dict.fromkeys(name for point in progress.points for name in point.metrics))
    series = {name: _draw(progress, name, points) for name in names}
    return {
        **{name: progress.find_last(name) for name in ("step", "total", "epoch", "epochs")},
        "left": progress.estimate_left() if row.state.is_open else None,
        "loss": progress.find_loss(),
        "metrics": {name: drawn[-1][1] for name, drawn in series.items() if drawn},
        "series": series,
        "text": render_progress(progress, row.state.is_open),
    }


def choose_evenly(values: Sequence[Any], count: int) -> list[Any]:
    """At most `count` of them, the first and the last among them."""
    count = max(2, count)
    if len(values) <= count:
        return list(values)
    return [values[place * (len(values) - 1) // (count - 1)] for place in range(count)]


def _draw(progress: Progress, name: str, count: int) -> list[list[float | None]]:
    found = [
        (point.step if point.step is not None else point.epoch, point.metrics[name])
        for point in progress.points
        if name in point.metrics
    ]
    pairs = [(place if at is None else at, value) for place, (at, value) in enumerate(found)]
    return [[_clean(at), _clean(value)] for at, value in choose_evenly(pairs, count)]


def _clean(value: float) -> float | None:
    return value if math.isfinite(value) else None
