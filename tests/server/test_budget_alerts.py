"""What is told of budgets: the shares that are reached and when the next one will be, until an hour behind the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.server.budget_alerts import list_alerts
from choline_jupyter.session.rent.fleet import Fleet
from tests.server.rentals import HOURLY, save_machine


class Clock:
    """Begins with each test at the real time: the ledger notes by that when a machine is gone."""

    def __init__(self) -> None:
        self.start = self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fleet(tmp_path: Path, clock: Clock) -> Iterator[Fleet]:
    made = Fleet(tmp_path, clock)
    yield made
    made.close()


def tell(fleet: Fleet) -> Any:
    [alert] = list_alerts(fleet, fleet.ledger.list_instances())
    return alert


def test_shares_are_reached_when_the_one_before_said_they_would_be(fleet: Fleet, clock: Clock) -> None:
    save_machine(fleet.ledger, hours=0, budget=HOURLY, now=clock.start)
    reached = []
    while (alert := tell(fleet))["next"] is not None:
        reached.append((round(clock.now - clock.start), alert["reached"]))
        clock.now += alert["next"] + 0.01
    assert reached == [(0, 0.0), (1800, 0.5), (2880, 0.8)]
    assert (alert["reached"], alert["left"], round(clock.now - clock.start)) == (1.0, 0.0, 3600)


def test_one_whose_budget_has_ended_it_has_reached_it_to_the_last(fleet: Fleet, clock: Clock) -> None:
    """A machine ends by its own clock, some seconds before the ledger's estimate is whole."""
    row = save_machine(fleet.ledger, hours=0, budget=HOURLY, now=clock.start)
    clock.now += 3600 - 20
    assert tell(fleet)["reached"] == 0.8
    fleet.note(row, InstanceState.GONE)
    alert = tell(fleet)
    assert (alert["reached"], alert["open"], alert["next"], alert["left"]) == (1.0, False, None, None)
    clock.now += 600
    assert list_alerts(fleet, fleet.ledger.list_instances()) == []


def test_one_that_was_stopped_is_told_of_no_more(fleet: Fleet, clock: Clock) -> None:
    row = save_machine(fleet.ledger, hours=0, budget=HOURLY, now=clock.start)
    clock.now += 2000
    assert tell(fleet)["reached"] == 0.5
    fleet.note(row, InstanceState.GONE)
    assert list_alerts(fleet, fleet.ledger.list_instances()) == []


def test_a_budget_of_a_cent_is_not_used_up_at_once(fleet: Fleet, clock: Clock) -> None:
    row = save_machine(fleet.ledger, hours=0, budget=0.01, now=clock.start)
    clock.now += 5
    fleet.note(row, InstanceState.GONE)
    assert list_alerts(fleet, fleet.ledger.list_instances()) == []


def test_a_session_on_its_second_machine_is_one(fleet: Fleet, clock: Clock) -> None:
    """What the first one cost counts."""
    first = save_machine(fleet.ledger, 1, hours=0, budget=HOURLY, now=clock.start)
    clock.now += 1800
    fleet.note(first, InstanceState.GONE)
    second = replace(first, id="i-2", label="choline-2", epoch=2, budget=HOURLY / 2, created_at=clock.now)
    fleet.ledger.record_intent(second)
    fleet.ledger.money.note_rate(second.id, clock.now, HOURLY, 0.0)
    alert = tell(fleet)
    assert (alert["session"], alert["reached"], alert["budget"]) == ("s-one", 0.5, pytest.approx(HOURLY))
    assert alert["next"] == pytest.approx(0.3 * 3600)
