"""How far a job is: its metrics over time, from `log(...)` and from what it prints; as one line with a curve and the time left.

Used by `session.experiments`, `session.verbs`, `session.live` and, through `session.progress_series`, the server. What a job
prints its machine has read (PROGRESS events); where an older agent has not, its output is searched here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.session.report import render_duration
from choline_jupyter.wire.training_output import OutputReader, Point

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 24
_LOSSES = ("loss", "train_loss", "training_loss", "lm_loss", "total_loss")
_RECENT = 20  # points that the time left is estimated from
_LOADS = {"telemetry", "load"}  # as `agent.kernel.telemetry` calls them
_MOST = 100_000  # points that are kept of a job


@dataclass
class Progress:
    """`times` are by the machine's clock, for differences only; its date may be wrong."""

    points: list[Point] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    checkpoint: dict[str, Any] | None = None

    def find_last(self, name: str) -> Any:
        """The last `step`, `total`, `epoch` or `epochs` that was told."""
        return next((value for point in reversed(self.points) if (value := getattr(point, name)) is not None), None)

    def list_values(self, name: str = "") -> list[float]:
        """A metric's values in their order; of the loss when none is named."""
        found = name or self.find_loss()
        return [point.metrics[found] for point in self.points if found in point.metrics]

    def find_loss(self) -> str:
        """The name of what is made smaller; empty for none."""
        names = {name for point in self.points for name in point.metrics}
        known = [name for name in _LOSSES if name in names]
        return next(iter([*known, *sorted(name for name in names if "loss" in name)]), "")

    def estimate_left(self) -> float | None:
        """Seconds to the last step, or epoch, by the pace of the last ones."""
        for name, last in (("epoch", "epochs"), ("step", "total")):
            pairs = [
                (float(value), at)
                for point, at in zip(self.points[-_RECENT:], self.times[-_RECENT:], strict=True)
                if (value := getattr(point, name)) is not None
            ]
            end = self.find_last(last)
            if end and len(pairs) > 1 and pairs[-1][0] > pairs[0][0] and pairs[-1][1] > pairs[0][1]:
                pace = (pairs[-1][1] - pairs[0][1]) / (pairs[-1][0] - pairs[0][0])
                return max(0.0, (float(end) - pairs[-1][0]) * pace)
        return None


class Telling:
    """What a job's machine tells of it, event by event, as `progress`."""

    def __init__(self) -> None:
        self.progress = Progress()
        self._logs = False

    def take(self, event: Event) -> bool:
        """Note an event; whether it tells something new."""
        if event.kind is Kind.METRIC:
            fact = _read(event)
            if _LOADS & fact.keys():  # of the machine, not of the training
                return False
            if not self._logs:
                self._logs, self.progress = True, Progress(checkpoint=self.progress.checkpoint)
            _add(self.progress, _read_metric(fact), event.at)
        elif event.kind is Kind.PROGRESS and not self._logs:
            for point, at in _read_points(_read(event)):
                _add(self.progress, point, at)
        elif event.kind is Kind.CHECKPOINT:
            self.progress.checkpoint = _read(event)
        else:
            return False
        return True


class ProgressReader:
    """Reads the events of one job as they come; where its code logs metrics, its output is not searched for them as well."""

    def __init__(self) -> None:
        self._told, self._printed = Telling(), Progress()
        self._readers: dict[str, OutputReader] = {}

    @property
    def progress(self) -> Progress:
        """What was told so far."""
        told = self._told.progress
        return replace(told if told.points else self._printed, checkpoint=told.checkpoint)

    def read(self, event: Event) -> None:
        """One more event."""
        self._told.take(event)
        if event.kind is Kind.STREAM and not self._told.progress.points:
            content = _read(event)
            reader = self._readers.setdefault(str(content.get("name")), OutputReader())
            for point in reader.feed(str(content.get("text", ""))):
                _add(self._printed, point, event.at)

    def close(self) -> None:
        """The last lines have no end."""
        for reader in self._readers.values():
            for point in reader.close():
                _add(self._printed, point, self._printed.times[-1] if self._printed.times else 0.0)


def read_progress(events: Iterable[Event]) -> Progress:
    """What the events of a job tell."""
    reader = ProgressReader()
    for event in events:
        reader.read(event)
    reader.close()
    return reader.progress


def render_progress(progress: Progress, is_running: bool) -> str:
    """`epoch 2/10, step 300/1,000, loss 0.412 ▇▅▃▁, 3 min 20 s left`; empty for nothing."""
    words = [_render_place(progress, "epoch", "epochs"), _render_place(progress, "step", "total")]
    values = progress.list_values()
    if values:
        words.append(f"{progress.find_loss()} {values[-1]:.4g} {draw_curve(values)}".rstrip())
    left = progress.estimate_left() if is_running else None
    words.append(f"{render_duration(left)} left" if left is not None else "")
    return ", ".join(filter(None, words))


def draw_curve(values: list[float], width: int = _WIDTH) -> str:
    """The values as a line of bars; what is no number leaves a gap."""
    if len(values) > width:
        values = [values[place * (len(values) - 1) // (width - 1)] for place in range(width)]
    numbers = [value for value in values if math.isfinite(value)]
    if len(numbers) < 2:
        return ""
    low, high = min(numbers), max(numbers)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] if math.isfinite(value) else " " for value in values)


def _render_place(progress: Progress, name: str, last: str) -> str:
    value, end = progress.find_last(name), progress.find_last(last)
    if value is None:
        return ""
    shown = f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"
    return f"{name} {shown}/{end:,}" if end else f"{name} {shown}"


def _add(progress: Progress, point: Point, at: float) -> None:
    if len(progress.points) >= _MOST:  # every second one is enough to draw
        del progress.points[::2], progress.times[::2]
    progress.points.append(point)
    progress.times.append(at)


def _read_metric(fact: dict[str, Any]) -> Point:
    metrics = fact.get("metrics") if isinstance(fact.get("metrics"), dict) else {}
    numbers = {str(name): value for name, told in (metrics or {}).items() if (value := _read_number(told)) is not None}
    step, total, epoch = (_read_number(fact.get(name)) for name in ("step", "total", "epoch"))
    whole = [int(value) if value is not None and math.isfinite(value) else None for value in (step, total)]
    return Point(whole[0], whole[1], epoch, None, numbers)


def _read_points(fact: dict[str, Any]) -> Iterator[tuple[Point, float]]:
    """What a machine has read in what its job prints; what makes no sense is passed over."""
    told = fact.get("points")
    for entry in told if isinstance(told, list) else []:
        if isinstance(entry, list) and len(entry) == 6:
            step, total, epoch, epochs, metrics, at = entry
            fact = {"step": step, "total": total, "epoch": epoch, "metrics": metrics}
            last, when = _read_number(epochs), _read_number(at)
            known = int(last) if last is not None and math.isfinite(last) else None
            yield replace(_read_metric(fact), epochs=known), when or 0.0


def _read_number(told: Any) -> float | None:
    if isinstance(told, bool) or not isinstance(told, (int, float, str)):
        return None
    if isinstance(told, str) and told not in ("nan", "inf", "-inf"):
        return None
    return float(told)


def _read(event: Event) -> dict[str, Any]:
    try:
        return event.read_content()
    except ValueError:
        return {}
