"""Ranks in words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.session.rank_text import (
    explain_freed,
    explain_waiting,
    group_errors,
    name_ranks,
    shorten_ranks,
)
from choline_jupyter.session.telemetry_text import render_telemetry


@given(st.sets(st.integers(0, 40), min_size=1))
def test_shortened_ranks_are_the_same_ranks(ranks: set[int]) -> None:
    found: set[int] = set()
    for part in shorten_ranks(ranks).split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    assert found == ranks


def test_one_rank_and_several() -> None:
    assert (name_ranks([2]), name_ranks([0, 1, 3])) == ("rank 2", "ranks 0-1,3")


def make_waiting(what: str, late: list[int], **places: tuple[str, int]) -> dict[str, object]:
    waiting = [{"rank": int(rank[1:]), "call": call, "line": line} for rank, (call, line) in places.items()]
    return {"what": what, "late": late, "seconds": 20, "waiting": waiting, "reason": "rank 1 ended its cell"}


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (
            make_waiting("straggler", [3], r0=("all_reduce", 12), r1=("all_reduce", 12)),
            "choline: rank 3 has not reached all_reduce for 20 s; ranks 0-1 wait at cell line 12.\n",
        ),
        (
            make_waiting("mismatch", [], r0=("barrier", 1), r1=("recv", 2)),
            (
                "choline: the ranks wait for each other in different calls: "
                "rank 0 in barrier (cell line 1), rank 1 in recv (cell line 2).\n"
            ),
        ),
        (
            make_waiting("deadlock", [1], r0=("barrier", 4)),
            "choline: rank 1 ended its cell; rank 0 waits in barrier (cell line 4) in vain and will be freed.\n",
        ),
    ],
)
def test_who_waits_for_whom(fact: dict[str, object], text: str) -> None:
    assert explain_waiting(fact) == text


def test_who_was_freed() -> None:
    place = {"call": "all_reduce", "line": 2}
    ends: dict[str, dict[str, object]] = {
        "0": {"aborted": place, "status": "error"},
        "1": {"status": "error"},
        "2": {"aborted": place, "status": "ok"},
    }
    assert explain_freed(ends) == ["choline: rank 0 waited in all_reduce (cell line 2) and was freed.\n"]


def make_error(rank: int, at: float, line: str) -> Event:
    content = json.dumps({"ename": "E", "evalue": "", "traceback": [line]}).encode()
    return Event(Series("s-1", 1, rank), 1, Kind.ERROR, "j-1", 1, at, content=content)


def test_same_tracebacks_are_one_group_and_the_earliest_comes_first() -> None:
    errors = [make_error(0, 2.0, "at 0x7f00aa"), make_error(1, 1.0, "other"), make_error(2, 3.0, "at 0x7f11bb")]
    assert [[event.series.rank for event in group] for group in group_errors(errors)] == [[1], [0, 2]]


def test_a_gpus_line() -> None:
    gpu = {"index": 0, "memory": 31_200_000_000, "total": 80_000_000_000, "busy": 0.87}
    assert render_telemetry({0: {"seconds": 60, "gpu": gpu}}) == "choline: GPU 0: peak 31.2 of 80 GB, busy 87 %.\n"


def test_a_line_without_gpus() -> None:
    fact = {"seconds": 60, "memory": 1_500_000_000, "cpu": 0.98}
    text = render_telemetry({0: fact, 1: fact})
    assert text == "choline: ranks 0-1: peak 1.5 GB, processor 98 % busy.\n"


def test_nothing_of_a_short_job() -> None:
    assert render_telemetry({0: {"seconds": 2}}) == ""
    assert render_telemetry({}) == ""


@pytest.mark.parametrize("told", ["x", None, [], True, -1, 1e300, float("nan")])
def test_figures_that_make_no_sense_are_left_out(told: object) -> None:
    gpu = {"index": told, "memory": told, "total": told, "busy": told, "power": 3}
    assert render_telemetry({0: {"seconds": 60, "gpu": gpu}}) == "choline: GPU 0: 3 W.\n"
    assert render_telemetry({0: {"seconds": told, "gpu": gpu}}) == ""
    assert render_telemetry({0: {"seconds": 60, "memory": told, "cpu": told}}, is_many=False) == ""
