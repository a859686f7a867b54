"""What was spent on each day, and by each session from when on, from the ledger's rows.

Called by whatever shows money over time; reads the ledger once for all instances, however many there were.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from choline_jupyter.ledger.money import Accounts, Period
from choline_jupyter.model.instance import InstanceRow
from choline_jupyter.session.rent.fleet import read_price
from choline_jupyter.session.rent.meter import HOUR, price_transfer

_NOON = 12  # a day is counted by its noon: none has it twice, whatever the clocks do in spring and autumn


class Day(NamedTuple):
    """A day of this machine's calendar, as `2026-11-21`, and what all instances have cost on it, in USD."""

    date: str
    amount: float


class Rate(NamedTuple):
    """USD per hour, from `since` (seconds since the epoch) until the next rate."""

    since: float
    hourly: float


def list_days(rows: Sequence[InstanceRow], accounts: Accounts, now: float, count: int) -> list[Day]:
    """The last `count` days, oldest first, the days on which nothing was spent as well."""
    edges = _find_midnights(now, count)
    amounts = [0.0] * count
    for row in rows:
        if row.ended_at is None or row.ended_at >= edges[0]:
            _add_instance(amounts, row, accounts, edges, now)
    return [Day(_name(edge), amount) for edge, amount in zip(edges, amounts, strict=True)]


def list_rates(rows: Sequence[InstanceRow], accounts: Accounts) -> dict[str, list[Rate]]:
    """What each session costs by the hour, from when on: of its instances together, oldest first."""
    steps: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        before = 0.0
        for since, _, hourly in _list_spans(accounts.periods.get(row.id, ()), float("inf")):
            steps.setdefault(row.session, []).append((since, hourly - before))
            before = hourly
    return {session: _add_up(sorted(changes)) for session, changes in steps.items()}


def _add_instance(
    amounts: list[float], row: InstanceRow, accounts: Accounts, edges: Sequence[float], now: float
) -> None:
    ends = [*edges[1:], now]
    for since, until, hourly in _list_spans(accounts.periods.get(row.id, ()), now):
        for day, (begin, end) in enumerate(zip(edges, ends, strict=True)):
            amounts[day] += max(0.0, min(until, end) - max(since, begin)) * hourly / HOUR
    # When bytes went is not noted: they count on the day on which the machine was rented.
    for day, (begin, end) in enumerate(zip(edges, ends, strict=True)):
        if begin <= row.created_at < end:
            amounts[day] += price_transfer(read_price(row), *accounts.moved.get(row.id, (0, 0)))


def _list_spans(periods: Sequence[Period], end: float) -> Iterator[tuple[float, float, float]]:
    """Each period as since, until, USD per hour of machine and disk."""
    ends = [*(later.since for later in periods[1:]), end]
    for period, until in zip(periods, ends, strict=False):  # one that was only asked for has none
        yield period.since, until, period.machine + period.disk


def _add_up(changes: Sequence[tuple[float, float]]) -> list[Rate]:
    rates: list[Rate] = []
    hourly = 0.0
    for since, change in changes:
        hourly += change
        if rates and rates[-1].since == since:
            rates.pop()
        rates.append(Rate(since, max(0.0, round(hourly, 9))))
    return rates


def _find_midnights(now: float, count: int) -> list[float]:
    day = time.localtime(now)
    noon = time.mktime((day.tm_year, day.tm_mon, day.tm_mday, _NOON, 0, 0, 0, 0, -1))
    return [_find_midnight(noon - back * 24 * HOUR) for back in reversed(range(count))]


def _find_midnight(at: float) -> float:
    day = time.localtime(at)
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1))


def _name(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at))
