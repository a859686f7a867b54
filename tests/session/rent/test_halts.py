"""How long a stopped machine is waited for, what that costs, and which ones are ended instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.ledger.money import Period
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.offer import GIB, Offer, Price, Wish
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.providers.provider import Sighting
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.halts import find_halt, find_start, render_storage
from choline_jupyter.session.rent.limits import Limits
from choline_jupyter.session.rent.losses import find_waited, list_halted, note_losses
from choline_jupyter.session.rent.renter import Rent
from choline_jupyter.session.rent.session_money import LEAST
from choline_jupyter.session.sent_jobs import SentJobs
from choline_jupyter.session.spec import SessionSpec

BEGAN = 1_000_000.0
PRICE = Price(0.84, disk=0.15, stopped_disk=0.15)


class Clock:
    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now


class World:
    """One session with a job, on one machine. `see` is what its provider tells of it."""

    def __init__(
        self, folder: Path, on_loss: str = "wait", *, provider: str = "vast", wait: float = 3600.0,
        price: Price = PRICE, budget: float = 2.0, deadline: float = 8 * 3600.0, disk: int = 20 * GIB,
    ) -> None:  # fmt: skip
        self.clock = Clock()
        self.fleet, self.store = Fleet(folder, self.clock), EventStore(folder)
        offer = Offer(provider, "1", "RTX 3090", 4, price=price, is_spot=True)
        self.row = InstanceRow(
            "i-1", provider, self.fleet.make_label(), "s-1", offer.to_json(), "h", InstanceState.READY, BEGAN,
            budget=budget, deadline_at=BEGAN + deadline, lease=1800.0, hold=7200.0, disk=disk,
        )  # fmt: skip
        self.fleet.ledger.record_intent(self.row)
        self.see(InstanceState.READY)
        self.session = SessionRow(
            "s-1", "a", provider, self.row.label, "/a", 1, SessionState.READY, BEGAN, Trust.RENTED
        )  # fmt: skip
        self.store.save_session(self.session)
        rent = Rent(Wish(gpu="RTX 3090"), Limits(budget), on_loss=on_loss, wait=wait)
        SentJobs(folder, "s-1").keep_spec(SessionSpec("a", provider, rent=rent, trust=Trust.RENTED))
        self.job = JobRow("j-1", "s-1", state=JobState.RUNNING)
        self.store.save_job(self.job)

    def see(self, state: InstanceState) -> None:
        """As a look at the provider notes it."""
        self.fleet.note_sighting(self.row, Sighting("h", self.row.label, state))
        self.fleet.note(self.row, state)

    def list_ended(self) -> list[str]:
        return [machine.id for machine in list_halted(self.fleet, self.store, self.row.provider)]

    @property
    def cost(self) -> float:
        return self.fleet.find_cost(self.row).total

    @property
    def waits(self) -> bool:
        return find_waited(self.fleet, self.store, self.session) is not None

    def close(self) -> None:
        self.fleet.close()
        self.store.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_it_stands_since_its_machine_costs_nothing() -> None:
    run, stand = Period(0, 1.0, 0.1), Period(10, 0.0, 0.1)
    assert find_start([run]) is None
    assert find_start([]) is None
    assert find_start([run, stand]) == 10
    assert find_start([run, stand, Period(20, 0.0, 0.2)]) == 10  # its disk became dearer
    assert find_start([run, stand, Period(20, 1.0, 0.1)]) is None
    assert find_start([run, stand, Period(20, 1.0, 0.1), Period(30, 0.0, 0.1)]) == 30


def test_it_is_waited_for_until_its_time_is_over(world: World) -> None:
    world.clock.now += 600
    world.see(InstanceState.PREEMPTED)
    halt = find_waited(world.fleet, world.store, world.session)
    assert halt
    assert (halt.since, halt.until, halt.is_cut) == (BEGAN + 600, BEGAN + 4200, False)
    assert world.list_ended() == []
    world.clock.now += 3599
    assert world.waits
    world.clock.now += 1
    assert not world.waits
    assert world.list_ended() == ["i-1"]


def test_only_its_disk_is_paid_for_meanwhile(world: World) -> None:
    world.clock.now += 600
    world.see(InstanceState.PREEMPTED)
    before = world.cost
    world.clock.now += 3000
    storage = 20 * 0.15 / 730
    assert world.cost - before == pytest.approx(3000 / 3600 * storage)
    assert render_storage(world.row) == "0.0041 USD/h (3.00 USD a month)"
    world.see(InstanceState.READY)
    world.clock.now += 3600
    assert world.cost - before == pytest.approx(3000 / 3600 * storage + 0.84 + storage)


def test_each_stop_has_its_own_time(world: World) -> None:
    for _ in range(3):
        world.see(InstanceState.PREEMPTED)
        world.clock.now += 3000
        assert world.waits
        world.see(InstanceState.READY)
        world.clock.now += 600
        assert not world.waits


def test_one_that_runs_again_and_is_not_taken_up_yet_is_not_ended(world: World) -> None:
    world.see(InstanceState.PREEMPTED)
    world.clock.now += 3599
    world.fleet.note_sighting(
        world.row, Sighting("h", world.row.label, InstanceState.READY)
    )  # as the keeper's round does
    world.clock.now += 10
    assert world.waits
    assert world.list_ended() == []


def test_its_session_is_lost_until_it_goes_on(world: World) -> None:
    assert note_losses(world.fleet, world.store) == []
    assert [row.state for row in world.store.list_sessions()] == [SessionState.READY]
    world.see(InstanceState.PREEMPTED)
    assert note_losses(world.fleet, world.store) == []
    assert [row.state for row in world.store.list_sessions()] == [SessionState.LOST]


@pytest.mark.parametrize("on_loss", ["", "resume", "stop"])
def test_by_any_other_policy_it_is_ended_at_once(tmp_path: Path, on_loss: str) -> None:
    world = World(tmp_path, on_loss)
    world.see(InstanceState.STOPPED)
    assert not world.waits
    assert world.list_ended() == ["i-1"]
    world.close()


@pytest.mark.parametrize("provider", ["lambda", "modal", "nobody"])
def test_where_machines_do_not_run_again_it_is_ended_at_once(tmp_path: Path, provider: str) -> None:
    world = World(tmp_path, provider=provider)
    world.see(InstanceState.PREEMPTED)
    assert not world.waits
    assert world.list_ended() == ["i-1"]
    world.close()


def test_an_idle_one_stands_for_as_long_as_it_may_be_idle(world: World) -> None:
    """It cannot end itself, and nobody waits for it; what it has may still be fetched if it runs again."""
    world.store.save_job(JobRow("j-1", "s-1", state=JobState.DONE))
    world.see(InstanceState.PREEMPTED)
    assert not world.waits
    world.clock.now += 1800 + 7200
    assert world.list_ended() == []
    world.clock.now += 1
    assert world.list_ended() == ["i-1"]


usd = st.floats(0.01, 20.0)
spans = st.lists(st.tuples(st.floats(0, 40_000.0), st.floats(0, 40_000.0)), min_size=1, max_size=5)


@settings(deadline=None, max_examples=20)
@given(
    hour=usd, storage=st.floats(0.0, 5.0), budget=st.floats(0.05, 50.0), wait=st.floats(1.0, 100_000.0),
    deadline=st.floats(600.0, 100_000.0), gib=st.integers(1, 2000), spans=spans,
)  # fmt: skip
def test_it_never_costs_more_than_its_budget(
    hour: float, storage: float, budget: float, wait: float, deadline: float, gib: int, spans: list[tuple[float, float]]
) -> None:
    """It runs and stands by turns, each for as long as its market likes and its limits allow; whoever waits is in time."""
    with TemporaryDirectory() as folder:
        world = World(
            Path(folder),
            wait=wait,
            price=Price(hour, storage, 2 * storage),
            budget=budget,
            deadline=deadline,
            disk=gib * GIB,
        )
        running = hour + storage * gib / 730
        for runs, stands in spans:
            world.clock.now += max(0.0, min(runs, world.fleet.find_left(world.row)))  # its watchdog ends it then
            world.see(InstanceState.PREEMPTED)
            halt = find_halt(world.fleet, world.row, wait)
            assert halt.until <= max(world.clock.now, world.row.deadline_at - LEAST)
            assert halt.until <= world.clock.now + wait
            if not world.waits:
                break
            world.clock.now += min(stands, halt.until - world.clock.now)
            assert world.cost + running * LEAST / 3600 <= budget + 1e-6  # it can go on
            assert world.clock.now + LEAST <= world.row.deadline_at + 1e-6
            if not world.waits:
                break
            world.see(InstanceState.READY)
        assert world.cost <= budget + 1e-6
        world.close()
