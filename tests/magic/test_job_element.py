"""The element of a job: when it is there, what it says, and that a `clear_output` does not take it away."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from choline_jupyter.magic import job_element
from choline_jupyter.magic.job_element import JOB, JobElement
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.session.outcome import Outcome


class Front:
    """A front end: `shown` are the outputs of the cell as one that knows displays would have them."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []

    def publish(self, data: Any, metadata: Any, *, transient: Any, update: bool) -> None:
        assert metadata == {}
        output = {"id": transient["display_id"], **data}
        if not update:
            self.shown.append(output)
        else:
            self.shown = [output if one.get("id") == output["id"] else one for one in self.shown]


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def strftime(self, form: str) -> str:
        return form


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(job_element, "time", made)
    return made


def make(front: Front, provider: str = "ssh", *, is_rented: bool = False, outcome: Outcome | None = None) -> JobElement:
    row = SessionRow("s-one", "a", provider, "<me@big>", "/", 1, SessionState.READY, 0.0, Trust.OWN)
    shell: Any = SimpleNamespace(display_pub=front, kernel=object())
    tenancy: Any = SimpleNamespace(is_rented=lambda _: is_rented, find_machine=lambda _: None)
    session: Any = SimpleNamespace(row=row)
    return JobElement(shell, tenancy, session, "j-one", outcome or Outcome(), lambda: None)


def event(kind: Kind, rank: int = 0, **content: Any) -> Event:
    return Event(Series("s-one", 1, rank), 1, kind, "j-one", 1, 0.0, content=json.dumps(content).encode())


def test_it_comes_after_a_second_and_ends_with_what_it_took(clock: Clock) -> None:
    front = Front()
    element = make(front)
    element.tick()
    assert front.shown == []
    clock.now += 1.5
    element.tick()
    [shown] = front.shown
    assert shown[JOB] == {"id": "j-one"}
    assert shown["text/plain"] == "choline: job j-one runs for 1 s on <me@big>"
    assert "&lt;me@big&gt;" in shown["text/html"]
    clock.now += 62
    element.tick()
    element.close()
    assert [one["text/plain"] for one in front.shown] == ["choline: job j-one ran for 1 min 3 s on <me@big>"]


def test_how_far_a_training_is_stands_in_the_line(clock: Clock) -> None:
    front, outcome = Front(), Outcome()
    element = make(front, outcome=outcome)
    for step in (1, 2, 3):
        clock.now += 1.0
        content = json.dumps({"step": step, "total": 10, "metrics": {"loss": 1 / step}}).encode()
        outcome.telling.take(Event(Series("s-one", 1, 0), step, Kind.METRIC, "j-one", 1, clock.now, content=content))
        element.tick()
    assert [one["text/plain"].partition("; ")[2] for one in front.shown] == ["step 3/10, loss 0.3333 █▃▁, 7 s left"]
    element.close()
    assert [one["text/plain"].partition("; ")[2] for one in front.shown] == ["step 3/10, loss 0.3333 █▃▁"]


def test_a_short_job_has_none_unless_it_costs_money(clock: Clock) -> None:
    front = Front()
    make(front).close()
    assert front.shown == []
    make(front, "vast", is_rented=True).close()
    assert [one[JOB] for one in front.shown] == [{"id": "j-one"}]


def test_there_is_none_on_this_machine(clock: Clock) -> None:
    front = Front()
    element = make(front, "local")
    clock.now += 100
    element.tick()
    element.begin()
    element.close()
    assert front.shown == []


def test_clearing_takes_the_rest_away(clock: Clock) -> None:
    """`wait=True`: it comes back ahead of the next output, which is what clears in the front end."""
    front = Front()
    element = make(front)
    clock.now += 2
    element.tick()
    first = front.shown[0]["id"]
    element.note(event(Kind.CLEAR, wait=True))
    clock.now += 10
    element.tick()
    assert [one["id"] for one in front.shown] == [first]  # still to be seen, and up to date
    assert "12 s" in front.shown[0]["text/plain"]
    front.shown.clear()  # as the front end does with the next output
    element.note(event(Kind.STREAM, text="x"))
    assert [one["id"] != first for one in front.shown] == [True]
    element.note(event(Kind.STREAM, text="y"))
    assert len(front.shown) == 1


def test_clearing_at_once_and_nothing_more(clock: Clock) -> None:
    front = Front()
    element = make(front)
    clock.now += 2
    element.tick()
    element.note(event(Kind.CLEAR, wait=False))
    front.shown.clear()
    element.close()
    assert ["ran for" in one["text/plain"] for one in front.shown] == [True]


def test_what_another_rank_clears_is_its_own(clock: Clock) -> None:
    front = Front()
    element = make(front)
    clock.now += 2
    element.tick()
    element.note(event(Kind.CLEAR, rank=1, wait=False))
    element.note(event(Kind.STREAM, text="x"))
    assert len(front.shown) == 1
