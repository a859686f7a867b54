"""What was spent on which day and by whom: the days add up to the whole, whatever the clocks do."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.ledger.money import Accounts, Period
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import GIB, Offer, Price
from choline_jupyter.session.rent.history import Day, list_days, list_rates

HOUR = 3600.0
NOW = 1_800_000_000.0
FREE = Price()


@pytest.fixture(params=["UTC", "Europe/Berlin", "Pacific/Auckland"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def make_row(name: str = "i", session: str = "s", price: Price = FREE, created: float = NOW - HOUR) -> InstanceRow:
    offer = Offer("vast", "o", price=price).to_json()
    return InstanceRow(name, "vast", name, session, offer, state=InstanceState.READY, created_at=created)


def count(days: list[Day]) -> float:
    return sum(day.amount for day in days)


def test_a_machine_over_midnight_is_on_both_days(zone: str) -> None:
    today = time.localtime(NOW)
    midnight = time.mktime((today.tm_year, today.tm_mon, today.tm_mday, 0, 0, 0, 0, 0, -1))
    accounts = Accounts({"i": [Period(midnight - 2 * HOUR, 1.0, 0.5), Period(midnight + HOUR, 0.0, 0.0)]}, {})
    days = list_days([make_row()], accounts, max(NOW, midnight + HOUR), 3)
    assert [amount for _, amount in days] == pytest.approx([0, 3.0, 1.5])
    assert days[-1].date == time.strftime("%Y-%m-%d", today)


def test_each_day_of_half_a_year_is_there_once(zone: str) -> None:
    """In it clocks are put forward or back."""
    dates = [day.date for day in list_days([], Accounts({}, {}), NOW, 200)]
    assert dates == sorted(set(dates))
    assert len(dates) == 200


def test_bytes_count_on_the_day_of_the_rent() -> None:
    price = Price(1.0, upload=0.5, download=1.0)
    days = list_days([make_row(price=price)], Accounts({}, {"i": (2 * GIB, GIB)}), NOW, 5)
    assert count(days) == pytest.approx(2.0)


@given(st.lists(st.tuples(st.floats(0, 20 * 24), st.floats(0, 10)), min_size=1, max_size=6))
def test_the_days_add_up_to_the_whole(steps: list[tuple[float, float]]) -> None:
    periods = [Period(NOW - hours * HOUR, rate, rate / 10) for hours, rate in sorted(steps, reverse=True)]
    days = list_days([make_row()], Accounts({"i": periods}, {}), NOW, 30)
    ends = [*(period.since for period in periods[1:]), NOW]
    whole = sum((end - one.since) * (one.machine + one.disk) / HOUR for one, end in zip(periods, ends, strict=True))
    assert count(days) == pytest.approx(whole, abs=1e-6)


def test_a_sessions_rates_are_those_of_all_its_machines() -> None:
    accounts = Accounts(
        {"a": [Period(10, 1.0, 0), Period(30, 0, 0)], "b": [Period(20, 2.0, 0.5), Period(40, 0, 0)], "c": [Period(5, 9, 0)]}, {}
    )  # fmt: skip
    rates = list_rates([make_row("a"), make_row("b"), make_row("c", "other")], accounts)
    assert rates["s"] == [(10, 1.0), (20, 3.5), (30, 2.5), (40, 0.0)]
    assert rates["other"] == [(5, 9.0)]
