"""How far a job is, from its events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.session.progress_record import draw_curve, read_progress, render_progress


def make_event(kind: Kind, at: float, content: dict[str, Any]) -> Event:
    return Event(Series("s-1", 1, 0), 1, kind, "j-1", 1, at, content=json.dumps(content).encode())


def log(at: float, step: int, loss: float | str, total: int | None = 100) -> Event:
    return make_event(Kind.METRIC, at, {"step": step, "total": total, "metrics": {"loss": loss}})


def test_the_time_left_follows_from_the_pace() -> None:
    progress = read_progress([log(1000.0 + 2 * step, step, 1 / (step + 1)) for step in range(11)])
    assert progress.estimate_left() == pytest.approx(180.0)
    assert render_progress(progress, is_running=True) == "step 10/100, loss 0.09091 █▄▃▂▂▂▁▁▁▁▁, 3 min 0 s left"
    assert "left" not in render_progress(progress, is_running=False)


@pytest.mark.parametrize("shift", [-86400.0, 86400.0])
def test_a_clock_a_day_off_does_not_matter(shift: float) -> None:
    there = read_progress([log(1000.0 + shift + 2 * step, step, 1.0) for step in range(11)])
    assert there.estimate_left() == pytest.approx(180.0)


def test_a_clock_that_jumps_back_gives_no_time_left() -> None:
    assert read_progress([log(1000.0, 1, 1.0), log(10.0, 2, 1.0)]).estimate_left() is None


def test_nan_is_a_gap_and_nothing_fails() -> None:
    progress = read_progress([log(step, step, "nan" if step == 2 else 4.0 - step) for step in range(4)])
    assert draw_curve(progress.list_values()) == "█▆ ▁"
    assert "loss 1" in render_progress(progress, is_running=True)
    alone = read_progress([log(0, 0, "nan")])
    assert "loss nan" in render_progress(alone, is_running=True)


def test_what_is_logged_counts_before_what_is_printed() -> None:
    printed = make_event(Kind.STREAM, 1.0, {"name": "stdout", "text": "epoch 7 loss 0.1\n"})
    assert read_progress([printed]).find_last("epoch") == 7
    assert read_progress([printed, log(1.0, 3, 0.5)]).find_last("epoch") is None


def test_what_a_machine_says_of_itself_is_no_metric() -> None:
    printed = make_event(Kind.STREAM, 1.0, {"name": "stdout", "text": "epoch 7 loss 0.1\n"})
    telemetry = make_event(Kind.METRIC, 1.0, {"telemetry": {"rank": 0}})
    assert read_progress([telemetry, printed]).find_last("epoch") == 7


@pytest.mark.parametrize(
    "content", [{"metrics": 3}, {"metrics": {"loss": [1]}}, {"step": "x"}, {"step": None}, {"total": "inf"}]
)
def test_metrics_that_make_no_sense_are_passed_over(content: dict[str, Any]) -> None:
    render_progress(read_progress([make_event(Kind.METRIC, 1.0, content)]), is_running=True)


def test_a_long_curve_is_thinned() -> None:
    assert len(draw_curve([float(place) for place in range(1000)])) == 24
    assert draw_curve([1.0]) == ""
    assert draw_curve([2.0, 2.0]) == "▁▁"


@pytest.mark.parametrize("name", ["telemetry", "load"])
def test_what_a_job_takes_of_its_machine_is_no_progress(name: str) -> None:
    """A line that it prints is still read: nothing was logged."""
    load = make_event(Kind.METRIC, 1.0, {name: {"rank": 0, "seconds": 2.0, "memory": 1, "cpu": 1.0}})
    printed = make_event(Kind.STREAM, 2.0, {"name": "stdout", "text": "epoch 1/3 loss 0.5\n"})
    assert read_progress([load, printed]).list_values() == [0.5]
