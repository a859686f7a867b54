"""The experiment log: what each run was, where, what it cost, how well it did; filtered, sorted, two compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.errors import RequestError
from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.model.instance import InstanceRow
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.offer import Offer, Price
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.session.experiments import compare_runs, list_runs, make_run, render_runs, sort_runs
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.wire.record import encode_record

HERE = SessionRow("s-1", "here", "local", "this machine", "/", 1, SessionState.READY, 0.0, Trust.OWN)
RENTED = SessionRow("s-2", "far", "vast", "choline-a-b", "/", 1, SessionState.READY, 0.0, Trust.RENTED)
CODE = "rate = {rate}\ntrain(rate)"


class Log:
    """A store with three runs: on this machine, on a rented one, and one that failed at once."""

    def __init__(self, folder: Path) -> None:
        self.store, self.fleet, self.root = EventStore(folder), Fleet(folder), folder / "project"
        self.root.mkdir()
        for row in (HERE, RENTED):
            self.store.save_session(row)
        offer = Offer("vast", "1", gpu="A100 80GB", count=2, price=Price(hour=3.6))
        self.fleet.ledger.record_intent(
            InstanceRow("i-1", "vast", RENTED.machine, "s-2", offer.to_json(), created_at=900.0)
        )
        self.fleet.ledger.money.note_rate("i-1", 900.0, 3.6, 0.0)
        self.run("j-1", HERE, 0.1, 1000.0, 100.0, [0.9, 0.5, 0.7])
        self.run("j-2", RENTED, 0.2, 2000.0, 500.0, [0.8, 0.2])
        self.run("j-3", HERE, 0.3, 3000.0, 1.0, [], JobState.FAILED)
        self.store.flush()

    def run(
        self, job: str, row: SessionRow, rate: float, at: float, took: float, losses: list[float],
        state: JobState = JobState.DONE,
    ) -> None:  # fmt: skip
        code = CODE.format(rate=rate)
        digest = hashlib.sha256(code.encode()).hexdigest()
        self.store.save_job(
            JobRow(
                job,
                row.id,
                state=state,
                code=code,
                code_digest=digest,
                created_at=at,
                started_at=at,
                ended_at=at + took,
            )
        )
        for seq, loss in enumerate(losses, int(at)):
            body = json.dumps({"step": seq, "metrics": {"loss": loss}}).encode()
            event = Event(Series(row.id, 1, 0), seq, Kind.METRIC, job, 1, at, content=body)
            self.store.put(event, b"".join(encode_record(seq, Kind.METRIC, job, 1, at, [b"{}", b"{}", b"{}", body])))

    def list(self, text: str = "", key: str = "time") -> list[str]:
        return [run.job.id for run in sort_runs(list_runs(self.store, self.fleet, self.root, text), key)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path)
    yield made
    made.store.close()
    made.fleet.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [("", ["j-3", "j-2", "j-1"]), ("failed", ["j-3"]), ("VAST", ["j-2"]), ("rate = 0.1", ["j-1"]), ("nothing", [])],
)
def test_words_filter(log: Log, text: str, found: list[str]) -> None:
    assert log.list(text) == found


@pytest.mark.parametrize(("key", "first"), [("time", "j-3"), ("loss", "j-2"), ("duration", "j-2"), ("cost", "j-2")])
def test_they_are_sorted(log: Log, key: str, first: str) -> None:
    assert log.list(key=key)[0] == first


def test_an_order_that_there_is_not(log: Log) -> None:
    with pytest.raises(RequestError, match="cannot be sorted by"):
        log.list(key="colour")


def test_each_says_where_on_what_for_how_much_and_how_well(log: Log) -> None:
    table = render_runs(list_runs(log.store, log.fleet, log.root))
    rented = next(line for line in table.splitlines() if line.startswith("j-2"))
    assert "vast, choline-a-b" in rented
    assert "2x A100 80GB" in rented
    assert "0.50 USD" in rented  # 500 s at 3.60 USD/h
    assert "  0.2  " in rented
    own = next(line for line in table.splitlines() if line.startswith("j-1"))
    assert "0.00 USD" in own
    assert "  0.5  " in own


def test_two_are_compared(log: Log) -> None:
    runs = {run.job.id: run for run in list_runs(log.store, log.fleet, log.root)}
    text = compare_runs(runs["j-1"], runs["j-2"])
    for line in (
        "rate: 0.1 | 0.2",
        "best loss: 0.5 | 0.2",
        "cost: 0.00 USD | 0.50 USD",
        "where: local, this machine | vast, choline-a-b",
        "-rate = 0.1",
        "+rate = 0.2",
    ):
        assert line in text
    assert "no difference" in compare_runs(runs["j-1"], runs["j-1"])


def test_a_run_of_a_session_that_is_not_known_any_more(log: Log) -> None:
    run = make_run(log.store, log.fleet, log.root, JobRow("j-9", "s-9", code="1", created_at=1.0))
    assert (run.where, run.cost, run.best) == ("-", None, None)
    assert "j-9" in render_runs([run])
