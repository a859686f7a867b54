"""What ranks take, from what their machine says: in order, bounded, and proof against a stranger's nonsense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.server.rank_state import describe_ranks, is_telemetry

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["telemetry", "now", "gpu", "memory", "cpu", "busy", "total", "seconds", "power"]), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


def tell(rank: int, **fact: Any) -> tuple[Event, dict[str, Any]]:
    content = {"telemetry": {"rank": rank, **fact}}
    return Event(Series("s", 1, rank), 1, Kind.METRIC, "j", 1, 0.0, content=json.dumps(content).encode()), content


def list_points(rank: dict[str, Any]) -> Iterator[float]:
    for point in rank["points"]:
        yield from point


def test_of_a_gpu_the_last_figures_and_the_course() -> None:
    gpu = {"index": 3, "busy": 0.5, "memory": 10, "total": 80, "power": 300.0}
    now = {"memory": 7, "cpu": 1.5, "gpu": {**gpu, "busy": 0.9, "memory": 20}}
    (rank,) = describe_ranks(
        [tell(3, seconds=2, memory=5, cpu=1.0, gpu=gpu), tell(3, seconds=4, memory=9, cpu=1.0, gpu=gpu, now=now)]
    )
    assert (rank["rank"], rank["gpu"]["busy"], rank["process"]["cpu"]) == (3, 0.9, 1.5)
    assert rank["points"] == [(2, 0.5, 10), (4, 0.9, 20)]


def test_without_a_gpu_the_process() -> None:
    one, other = describe_ranks(
        [tell(1, seconds=1, memory=5, cpu=0.5), tell(0, seconds=1, memory=9, cpu=2.0, now={"memory": 6, "cpu": 3.0})]
    )
    assert (one["rank"], one["gpu"], one["peak"], one["points"]) == (0, None, 9, [(1, 3.0, 6)])
    assert other["points"] == [(1, 0.5, 5)]


def test_a_kernel_alone_is_drawn_as_well() -> None:
    event, fact = tell(0, seconds=1, memory=5, cpu=0.5)
    assert describe_ranks([(event, {"load": fact["telemetry"]})]) == describe_ranks([(event, fact)])


def test_a_long_course_and_many_ranks_are_bounded() -> None:
    events = [tell(rank, seconds=at, memory=1, cpu=1.0) for at in range(200) for rank in range(100)]
    ranks = describe_ranks(events)
    assert len(ranks) == 64
    assert {len(rank["points"]) for rank in ranks} == {60}
    assert ranks[0]["points"][-1][0] == 199


@given(JSON)
def test_nonsense_is_left_out(fact: Any) -> None:
    event = Event(Series("s", 1, 0), 1, Kind.METRIC, "j", 1, 0.0)
    content = {"telemetry": fact}
    for rank in describe_ranks([(event, content)] if is_telemetry(content) else []):
        json.dumps(rank, allow_nan=False)
        assert all(value >= 0 for value in list_points(rank))


@pytest.mark.parametrize("fact", [{}, {"telemetry": 3}, {"metrics": {"loss": 1}}])
def test_what_the_users_code_logs_is_something_else(fact: dict[str, Any]) -> None:
    assert not is_telemetry(fact)
