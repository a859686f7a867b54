"""`gc`, `--adopt`, `status` and `budget` on what was rented, and what is lost with a machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.offer import GIB, Offer, Price
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.providers.config import MoneySettings
from choline_jupyter.providers.failure import KeyRejected, Unreadable
from choline_jupyter.providers.provider import Order
from choline_jupyter.session.rent import caretaker, verbs
from choline_jupyter.session.rent.caretaker import Caretaker
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.ledger_report import render_budget, write_csv
from choline_jupyter.session.rent.reconciler import EVERY
from choline_jupyter.session.rent.verbs import look_around, sweep
from tests.fakes.memory_provider import MemoryProvider

PRICE = Price(1.2, disk=0.73)


class Office:
    """A fleet, a store, a provider, and a clock."""

    def __init__(self, directory: Path) -> None:
        self.now = 1_000_000.0
        self.fleet = Fleet(directory, lambda: self.now)
        self.store = EventStore(directory, lambda series, seq: None)
        self.provider = MemoryProvider()

    def add(self, *, is_known: bool = True, label: str = "") -> InstanceRow:
        """An instance that runs, and is in the ledger or not."""
        offer = Offer("memory", "1", "RTX 3090", 4, price=PRICE)
        label = label or self.fleet.make_label()
        handle = asyncio.run(self.provider.create(Order(label, offer, GIB, 3600)))
        row = InstanceRow(
            f"i-{handle}", "memory", label, f"s-{handle}", offer.to_json(), handle, InstanceState.READY, self.now,
            budget=2.0, deadline_at=self.now + 28_800, disk=GIB, absences=0,
        )  # fmt: skip
        if is_known:
            self.fleet.ledger.record_intent(row)
            self.fleet.ledger.money.note_rate(row.id, self.now, 1.2, 0.001)
            self.store.save_session(
                SessionRow(row.session, "n", "memory", label, "/", 1, SessionState.READY, self.now, Trust.RENTED)
            )
        return row

    def close(self) -> None:
        self.fleet.close()
        self.store.close()


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    made = Office(tmp_path)
    for module in (verbs, caretaker):
        monkeypatch.setattr(module, "load_rented", lambda is_any=False: [made.provider])
    yield made
    made.close()


def test_a_sweep_ends_strays_and_leaves_what_is_known_and_what_is_anothers(office: Office) -> None:
    known, stray = office.add(), office.add(is_known=False)
    other = office.add(is_known=False, label="choline-deadbeef-0123456789")
    text = asyncio.run(sweep(office.fleet, office.store, adopts=False))
    assert f"Ended {stray.label}" in text
    assert f"Left alone: {other.label}" in text
    assert {order.label for order in office.provider.alive.values()} == {known.label, other.label}


def test_a_lost_ledger_is_built_again_from_the_labels(office: Office) -> None:
    stray = office.add(is_known=False)
    text = asyncio.run(sweep(office.fleet, office.store, adopts=True))
    assert f"Adopted {stray.label}" in text
    [row] = office.fleet.list_open()
    assert (row.label, row.handle, row.state) == (stray.label, stray.handle, InstanceState.READY)
    office.store.flush()
    assert [one.machine for one in office.store.list_sessions()] == [stray.label]


@pytest.mark.parametrize("adopts", [True, False])
def test_a_damaged_ledger_costs_no_machine(office: Office, tmp_path: Path, adopts: bool) -> None:
    """The next one knows its machines by their labels, says that there are some, and takes them in or ends them."""
    row = office.add()
    office.fleet.close()
    (tmp_path / "ledger.db").write_bytes(b"not a database" * 1000)
    office.fleet = Fleet(tmp_path, lambda: office.now)
    told = "\n".join(asyncio.run(look_around(office.fleet, office.store)))
    assert "A ledger was damaged and set aside" in told
    assert f"! {row.label} on memory runs and is not in the ledger." in told
    text = asyncio.run(sweep(office.fleet, office.store, adopts=adopts))
    assert f"{'Adopted' if adopts else 'Ended'} {row.label}" in text
    assert bool(office.provider.alive) is adopts


def test_what_cannot_be_listed_is_said_and_nothing_is_concluded(office: Office) -> None:
    office.add()
    office.provider.failures["list"] = [Unreadable("an odd answer."), KeyRejected("the key is not taken.")]
    assert "Nothing is known of what runs there" in asyncio.run(sweep(office.fleet, office.store, adopts=False))
    assert "what was known last" in "\n".join(asyncio.run(look_around(office.fleet, office.store)))
    assert len(office.fleet.list_open()) == 1


def test_with_its_machine_a_session_and_its_jobs_are_lost(office: Office) -> None:
    row = office.add()
    office.store.save_job(JobRow("j1", row.session, state=JobState.RUNNING))
    office.store.flush()
    office.provider.alive.clear()
    for _ in range(2):
        lines = asyncio.run(look_around(office.fleet, office.store))
    office.store.flush()
    assert not lines
    assert office.store.list_sessions()[0].state is SessionState.STOPPED
    job = office.store.find_job("j1")
    assert job is not None
    assert job.state is JobState.LOST


def test_the_budget_says_what_is_spent_and_what_costs_now(office: Office) -> None:
    row = office.add()
    office.now += 1800
    text = render_budget(office.fleet, MoneySettings(5.0, 50.0, 2.0))
    assert "This month: 0.60 USD of 50.00 USD (estimate)." in text
    assert f"{row.label}: 4x RTX 3090 on memory, 1.20 USD/h: ready; 0.60 USD (estimate) of 2.00 USD" in text
    office.fleet.ledger.money.note_bill(row.id, 0.61)
    assert "0.61 USD billed" in render_budget(office.fleet, MoneySettings())
    lines = write_csv(office.fleet).splitlines()
    assert lines[0].startswith("label,provider,gpus")
    assert lines[1].split(",")[7:] == ["0.600000", "0.000500", "0.000000", "0.600500", "0.610000"]


def test_the_caretaker_looks_every_ten_minutes_and_at_once_where_time_is_over(office: Office) -> None:
    row = office.add()
    keeper = Caretaker(office.fleet, office.store)
    looks: list[str] = []
    office.provider.before = looks.append
    for seconds, expected in ((0, 1), (60, 1), (EVERY, 2), (60, 2)):
        office.now += seconds
        asyncio.run(keeper.care())
        assert looks.count("list") == expected
    assert asyncio.run(keeper.is_needed())
    office.now = row.deadline_at + 61
    for _ in range(4):
        asyncio.run(keeper.care())
        office.now += 61
    assert not office.provider.alive
    assert not asyncio.run(keeper.is_needed())


def test_who_has_rented_nothing_needs_no_caretaker(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    assert not asyncio.run(Caretaker(fleet, EventStore(tmp_path, lambda series, seq: None)).is_needed())
    assert not (tmp_path / "ledger.db").exists()
