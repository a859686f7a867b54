"""Partitions in every order: machines of one session that are cut off, replaced and come back; two processes at home that do
not know of each other. No two epochs write.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from choline_jupyter.agent.fencing import is_superseded
from choline_jupyter.agent.supervisor import Supervisor
from choline_jupyter.ledger.event_batch import REFUSED
from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.ledger.ledger import Ledger
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.model.session import SessionRow
from choline_jupyter.session.past import Past
from tests.ledger.samples import make_record, make_session

INDEX = st.integers(0, 7)


@dataclass
class Machine:
    """One machine with the session in its epoch, as the agent has it. `sessions` and `watch` are what the fence looks at."""

    epoch: int
    is_cut: bool = False
    seq: int = 0
    sessions: dict[str, Any] = field(default_factory=dict)
    watch: Any = field(default_factory=lambda: SimpleNamespace(is_armed=True, limit=lambda left, lease: None))
    accepted: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sessions["s-one"] = SimpleNamespace(id="s-one", spec={"epoch": self.epoch})

    async def stop(self, name: str, _reason: str) -> None:
        del self.sessions[name]

    def ask(self, epoch: int) -> None:
        """A request that names an epoch."""
        if asyncio.run(is_superseded(cast("Supervisor", self), {"session": "s-one", "epoch": epoch})):
            return
        if "s-one" in self.sessions:
            self.accepted.append(epoch)


class Home:
    """A process at home: what it believes the session to be."""

    def __init__(self, row: SessionRow, ledger: Ledger) -> None:
        self.row = row
        self.told: list[str] = []
        self.past = Past(self.told.append)
        self.past.find_epoch = lambda: ledger.find_epoch(row.id)


class Partitions(RuleBasedStateMachine):
    """Everything that decides is the real thing: the ledger, the event store, the agent's fence, home's own."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.ledger = Ledger(Path(self._folder.name))
        self.refused: list[Series] = []
        self.store = EventStore(Path(self._folder.name), self._note_stored)
        self.store.save_session(make_session())
        self.machines = [Machine(1)]
        self.homes = [Home(make_session(), self.ledger) for _ in range(2)]
        self.saved: list[tuple[int, int]] = []  # epoch of each checkpoint that was kept, and the newest one then

    def _note_stored(self, series: Series, seq: int) -> None:
        if seq == REFUSED:
            self.refused.append(series)

    @rule(place=INDEX)
    def cut(self, place: int) -> None:
        self._pick(place).is_cut = True

    @rule(place=INDEX)
    def heal(self, place: int) -> None:
        self._pick(place).is_cut = False

    @rule(who=st.booleans())
    def replace_machine(self, *, who: bool) -> None:
        """Whoever loses the race keeps its belief."""
        home = self.homes[who]
        if self.ledger.advance_epoch("s-one", home.row.epoch):
            home.row = replace(home.row, epoch=home.row.epoch + 1)
            self.store.save_session(home.row)
            self.store.flush()
            self.machines.append(Machine(home.row.epoch))

    @rule(who=st.booleans())
    def save_late(self, *, who: bool) -> None:
        """A process that has slept notes something about the session that it knew."""
        self.store.save_session(self.homes[who].row)

    @rule(who=st.booleans())
    def learn(self, *, who: bool) -> None:
        row = self.store.find_session("s-one")
        assert row
        self.homes[who].row = row

    @rule(who=st.booleans(), place=INDEX)
    def request(self, *, who: bool, place: int) -> None:
        machine = self._pick(place)
        if not machine.is_cut:
            machine.ask(self.homes[who].row.epoch)

    @rule(who=st.booleans(), place=INDEX, kind=st.sampled_from([Kind.STREAM, Kind.CHECKPOINT]))
    def speak(self, *, who: bool, place: int, kind: Kind) -> None:
        """A machine says something to a process that follows the epoch that it believes in."""
        machine, home = self._pick(place), self.homes[who]
        if machine.is_cut or not machine.sessions:
            return
        machine.seq += 1
        event = Event(Series("s-one", machine.epoch, 0), machine.seq, kind, "j-one", 1, 0.0)
        if home.past.has(home.row, event):
            return
        if kind is Kind.CHECKPOINT and not home.past.holds(home.row):
            self.saved.append((machine.epoch, self.ledger.find_epoch("s-one")))
        self.store.put(event, make_record(machine.seq))
        self.store.flush()

    @invariant()
    def no_two_epochs_write(self) -> None:
        epochs = [event.series.epoch for event in self.store.read_job("j-one")]
        assert epochs == sorted(epochs)
        assert all(written == newest for written, newest in self.saved)
        newest = self.ledger.find_epoch("s-one")
        assert [machine.epoch for machine in self.machines] == list(range(1, newest + 1))
        row = self.store.find_session("s-one")
        assert row
        assert row.epoch == newest
        assert all(set(machine.accepted) <= {machine.epoch} for machine in self.machines)
        assert all(series.epoch < newest for series in self.refused)

    def teardown(self) -> None:
        self.store.close()
        self.ledger.close()
        self._folder.cleanup()

    def _pick(self, place: int) -> Machine:
        return self.machines[place % len(self.machines)]


Partitions.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestPartitions = Partitions.TestCase


def test_what_comes_late_is_refused_and_told_once() -> None:
    told: list[str] = []
    past = Past(told.append)
    row = make_session(epoch=2)
    old = Event(Series("s-one", 1, 0), 1, Kind.STREAM, "j-one", 1, 0.0)
    assert past.has(row, old)
    assert past.has(row, old)
    assert not past.has(row, replace(old, series=Series("s-one", 2, 0)))
    [sentence] = told
    assert "goes on on another machine" in sentence
