"""The meter against the fake cloud's own bill, and promise P3 over random prices and times."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.ledger.money import Period
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import GIB, Offer, Price
from choline_jupyter.providers.provider import Sighting
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.meter import Cost, find_seconds, measure_cost, render_money

prices = st.floats(0.0, 50.0)
PRICE = Price(1.2, disk=0.146, stopped_disk=0.292, upload=0.01, download=0.02)


@given(hours=st.lists(st.tuples(st.floats(0, 1e5), prices, prices), min_size=1, max_size=8), until=st.floats(0, 1e5))
def test_it_is_the_integral_of_the_rates(hours: list[tuple[float, float, float]], until: float) -> None:
    starts = list(itertools.accumulate(seconds for seconds, _, _ in hours))
    periods = [Period(start, machine, disk) for start, (_, machine, disk) in zip(starts, hours, strict=True)]
    now = starts[-1] + until
    expected = sum(
        (end - period.since) / 3600 * (period.machine + period.disk)
        for period, end in zip(periods, [*starts[1:], now], strict=True)
    )
    assert measure_cost(periods, (0, 0), Price(), now).total == pytest.approx(expected)


@given(budget=st.floats(0.01, 1000), spent=st.floats(0, 1000), hourly=st.floats(0.001, 500), late=st.floats(0, 60))
def test_a_machine_that_ends_in_time_keeps_its_budget(budget: float, spent: float, hourly: float, late: float) -> None:
    """P3: over by no more than a minute of the price, if it ends within a minute of its end."""
    seconds = find_seconds(budget - spent, hourly)
    total = spent + (seconds + late) * hourly / 3600
    assert total <= max(budget, spent) + hourly / 60 + 1e-9


def test_steps_and_minimum_are_rounded_up() -> None:
    price = Price(6.0, step=60, minimum=600)
    assert measure_cost([Period(0, 6.0, 0)], (0, 0), price, 61).machine == pytest.approx(1.0)
    assert measure_cost([Period(0, 6.0, 0)], (0, 0), price, 661).machine == pytest.approx(6 * 720 / 3600)
    assert measure_cost([], (0, 0), price, 61) == Cost()


def test_moved_bytes_cost_by_the_way_they_went() -> None:
    assert measure_cost([], (GIB, 2 * GIB), PRICE, 0).transfer == pytest.approx(0.05)


@pytest.mark.parametrize(("amount", "text"), [(0, "0.00 USD"), (0.004, "0.0040 USD"), (1.239, "1.24 USD")])
def test_small_amounts_are_told_too(amount: float, text: str) -> None:
    assert render_money(amount) == text


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_the_ledger_follows_a_machine_through_its_states(tmp_path: Path) -> None:
    """Running at the offered price, dearer, stopped (disk only, dearer), running again, gone."""
    clock = Clock()
    fleet = Fleet(tmp_path, clock)
    offer = Offer("vast", "1", "RTX 3090", 4, price=PRICE)
    row = InstanceRow("i1", "vast", fleet.make_label(), "s1", offer.to_json(), "h", created_at=clock.now, disk=73 * GIB)
    fleet.ledger.record_intent(row)
    states = [
        (InstanceState.READY, None, 1.2 + 0.0146),
        (InstanceState.READY, 2.4, 2.4 + 0.0146),
        (InstanceState.PREEMPTED, None, 0.0292),
        (InstanceState.READY, None, 1.2 + 0.0146),
    ]
    expected = 0.0
    for state, hour, rate in states:
        fleet.note_sighting(row, Sighting("h", row.label, state, hour=hour))
        clock.now += 1800
        expected += rate / 2
        assert fleet.find_cost(row).total == pytest.approx(expected)
    fleet.note(row, InstanceState.GONE)
    clock.now += 1e6
    assert fleet.find_cost(row).total == pytest.approx(expected)
    assert fleet.find_cost_since(clock.now - 1e6 - 900).total == pytest.approx(states[-1][2] / 4)
    fleet.close()


def test_labels_are_unique_and_known_as_own(tmp_path: Path) -> None:
    mine, other = Fleet(tmp_path / "a"), Fleet(tmp_path / "b")
    labels = {mine.make_label() for _ in range(200)}
    assert len(labels) == 200
    assert all(mine.is_own(label) and not other.is_own(label) for label in labels)
    assert Fleet(tmp_path / "a").is_own(labels.pop())
    mine.close()
    other.close()


def test_work_in_progress_is_seen_by_others(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    assert not fleet.list_held()
    lock = fleet.hold("choline-x")
    assert Fleet(tmp_path).list_held() == {"choline-x"}
    lock.close()
    assert not fleet.list_held()
