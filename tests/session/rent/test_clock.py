"""A clock of day that is a day wrong, or is set right while a machine runs, changes neither its cost nor its end."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import Wish
from choline_jupyter.session.rent import clock
from choline_jupyter.session.rent.clock import SteadyClock
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.limits import Limits
from choline_jupyter.session.rent.reconciler import reconcile
from choline_jupyter.session.rent.renter import Rent, Renter
from tests.fakes.memory_provider import MemoryProvider

DAY = 86_400.0


class Laptop:
    """Two clocks: of day, which may jump, and of how long the system is up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.day, self.up, self.boot = 1_700_000_000.0, 5_000.0, "first"
        monkeypatch.setattr(time, "time", lambda: self.day)
        monkeypatch.setattr(clock, "find_uptime", lambda: self.up)
        monkeypatch.setattr(clock, "find_boot", lambda: self.boot)

    def pass_time(self, seconds: float) -> None:
        self.day += seconds
        self.up += seconds


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> Laptop:
    return Laptop(monkeypatch)


def make_clock(path: Path) -> SteadyClock:
    return SteadyClock(path, time.time)


def rent(fleet: Fleet, provider: MemoryProvider) -> InstanceRow:
    async def agree(question: str) -> bool:
        return True

    async def greet(machine: InstanceRow) -> None:
        pass

    renter = Renter(fleet, [provider], agree, greet, lambda: None)
    [row] = asyncio.run(renter.rent(Rent(Wish("RTX 3090", 4), Limits(2.0)), ["s1"], 1, lambda stage, text: None))
    return next(one for one in fleet.list_open() if one.id == row.id)


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_while_a_machine_runs(tmp_path: Path, laptop: Laptop, jump: float) -> None:
    fleet, provider = Fleet(tmp_path, make_clock(tmp_path / "clock.json")), MemoryProvider()
    row = rent(fleet, provider)
    hourly = sum(fleet.ledger.money.list_periods(row.id)[-1][1:])
    laptop.pass_time(1800)
    laptop.day += jump
    laptop.pass_time(1800)
    keeper = Fleet(tmp_path, make_clock(tmp_path / "clock.json"))  # another process
    for one in (fleet, keeper):
        assert one.find_cost(row).total == pytest.approx(hourly)
        assert one.find_left(row) == pytest.approx((2.0 - hourly) / hourly * 3600)
        asyncio.run(reconcile(one, provider))
        assert [known.state for known in one.list_open()] == [InstanceState.READY]
    laptop.pass_time(2.0 / hourly * 3600 - 3600 + 1)
    asyncio.run(reconcile(keeper, provider))
    assert not provider.alive, "its budget is spent, whatever day it is"
    fleet.close()
    keeper.close()


def test_it_says_the_day_again_when_nothing_runs(tmp_path: Path, laptop: Laptop) -> None:
    steady = make_clock(tmp_path / "clock.json")
    other = make_clock(tmp_path / "clock.json")
    assert steady() == other() == laptop.day
    laptop.day += DAY
    assert steady() == other() == laptop.day - DAY
    steady.set_anew()
    laptop.pass_time(1.0)
    assert steady() == other() == laptop.day


def test_a_system_that_was_started_anew_asks_the_clock_of_day(tmp_path: Path, laptop: Laptop) -> None:
    make_clock(tmp_path / "clock.json")()
    laptop.day, laptop.up, laptop.boot = laptop.day + 7 * DAY, 10.0, "second"
    assert make_clock(tmp_path / "clock.json")() == laptop.day


@pytest.mark.parametrize("text", ["", "[]", '["first", "x", 3]', "{}", '"abc"', "[1, 2, null]"])
def test_a_file_that_is_damaged_is_made_anew(tmp_path: Path, laptop: Laptop, text: str) -> None:
    (tmp_path / "clock.json").write_text(text)
    assert make_clock(tmp_path / "clock.json")() == laptop.day
    laptop.day += DAY
    assert make_clock(tmp_path / "clock.json")() == laptop.day - DAY


def test_without_a_folder_it_is_steady_all_the_same(tmp_path: Path, laptop: Laptop) -> None:
    steady = make_clock(tmp_path / "missing/clock.json")
    assert steady() == laptop.day
    laptop.day += DAY
    assert steady() == laptop.day - DAY
