"""A job's progress as data to draw, from the event store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.session.progress_series import choose_evenly, describe_progress
from choline_jupyter.wire.record import encode_record

JOB = JobRow("j-1", "s-1", state=JobState.RUNNING)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    made = EventStore(tmp_path)
    yield made
    made.close()


def put(store: EventStore, kind: Kind, contents: list[dict[str, Any]]) -> None:
    for seq, content in enumerate(contents, 1):
        body = json.dumps(content).encode()
        event = Event(Series("s-1", 1, 0), seq, kind, "j-1", 1, float(seq), content=body)
        store.put(event, b"".join(encode_record(seq, kind, "j-1", 1, float(seq), [b"{}", b"{}", b"{}", body])))
    store.flush()


def test_a_series_is_thinned_and_ends_with_the_last(store: EventStore) -> None:
    put(store, Kind.METRIC, [{"step": step, "total": 1000, "metrics": {"loss": 1.0}} for step in range(500)])
    told = describe_progress(store, JOB, points=50)
    assert told is not None
    assert (told["step"], told["total"], told["loss"]) == (499, 1000, "loss")
    assert len(told["series"]["loss"]) == 50
    assert told["series"]["loss"][-1] == [499, 1.0]
    assert told["left"] == pytest.approx(501.0)


def test_nan_is_null(store: EventStore) -> None:
    point = [1, None, None, None, {"loss": "nan"}, 1.0]
    put(store, Kind.PROGRESS, [{"points": [point, [2, None, None, None, {"loss": 0.5, "lr": 0.1}, 2.0]]}])
    told = describe_progress(store, JOB)
    assert told is not None
    assert told["series"]["loss"] == [[1, None], [2, 0.5]]
    assert told["metrics"] == {"loss": 0.5, "lr": 0.1}
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize("points", [3, [3], [[1, 2]], [["a", {}, None, [], {"loss": {}}, "x"]], None])
def test_what_makes_no_sense_is_passed_over(store: EventStore, points: Any) -> None:
    put(store, Kind.PROGRESS, [{"points": points}])
    told = describe_progress(store, JOB)
    assert told is None or told["metrics"] == {}


def test_what_an_older_agent_did_not_read_is_read_here(store: EventStore) -> None:
    put(store, Kind.STREAM, [{"name": "stdout", "text": f"step {step} loss 0.{step}\n"} for step in range(1, 4)])
    told = describe_progress(store, JOB)
    assert told is not None
    assert told["metrics"]["loss"] == 0.3


def test_a_job_without_any_has_none(store: EventStore) -> None:
    put(store, Kind.STREAM, [{"name": "stdout", "text": "hello\n"}])
    assert describe_progress(store, JOB) is None


@pytest.mark.parametrize(("length", "count"), [(0, 10), (1, 10), (9, 10), (10, 10), (11, 10), (1000, 2), (5, 1)])
def test_few_are_chosen_evenly(length: int, count: int) -> None:
    chosen = choose_evenly(range(length), count)
    assert len(chosen) <= max(2, count)
    assert chosen[:1] == list(range(length))[:1]
    assert chosen[-1:] == list(range(length))[-1:]
