"""Promise P1 on the real code: every crash point, every answer, every lag of the listing; nothing runs unknown.

The model of reliability.md section 2.3 had 675 runs, of which a blind retry leaked in 345.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from choline_jupyter.ledger.database import Database
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import Wish
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.limits import Limits
from choline_jupyter.session.rent.reconciler import LATE, reconcile
from choline_jupyter.session.rent.renter import NoMachine, Rent, Renter
from tests.fakes.memory_provider import FAILED, FAILED_CREATED, LOST, LOST_CREATED, OK, MemoryProvider

ANSWERS = (OK, FAILED, FAILED_CREATED, LOST, LOST_CREATED)
LAGS = (0, 1, 2)
STEPS = range(1, 10)  # of the run after which everything of the client is dead; the last is never reached


class Crash(BaseException):
    """The client's process is killed here."""


class Plug:
    """Counts the client's steps (commits and calls); at one of them, and from then on, nothing happens any more."""

    def __init__(self, at: int) -> None:
        self._at, self.count = at, 0

    def step(self, call: str = "") -> None:
        if call in ("create", "created", "describe", "destroy", "commit"):
            self.count += 1
        if self.count >= self._at:
            raise Crash


async def no_pause(seconds: float) -> None:
    """Time is not what is tested here."""


async def greet(machine: InstanceRow) -> None:
    """It lets us in."""


async def agree(question: str) -> bool:
    return True


def make_rent() -> Rent:
    return Rent(Wish("RTX 3090", 4), Limits(2.0, is_agreed=True))


def rent(fleet: Fleet, provider: MemoryProvider, sessions: Sequence[str]) -> str:
    """Try it once; what became of it in a word, or the machine of the last session."""
    renter = Renter(fleet, [provider], agree, greet, lambda: None, no_pause)
    try:
        [*_, row] = asyncio.run(renter.rent(make_rent(), sessions, 1, lambda stage, text: None))
        return row.handle
    except NoMachine:
        return "none"
    except Crash:
        return "crashed"


def crash_while_renting(directory: Path, provider: MemoryProvider, at: int, sessions: Sequence[str] = ("s1",)) -> str:
    plug = Plug(at)
    provider.before = plug.step
    committing = Database.transaction

    def transaction(database: Database):  # type: ignore[no-untyped-def]  # a generator of sqlite3's connection
        plug.step("commit")
        return committing(database)

    fleet = Fleet(directory)
    with patch.object(Database, "transaction", transaction):
        outcome = rent(fleet, provider, sessions)
    provider.before = lambda call: None
    fleet.close()  # a process that is killed leaves nothing open either
    return outcome


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """A folder whose disk is memory: 675 ledgers, each commit of which waits for the disk, would take a minute."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


@pytest.mark.parametrize("lag", LAGS)
def test_nothing_runs_unknown_whatever_happens_when(lag: int, memory_path: Path) -> None:
    outcomes = set()
    for number, (at, first, second) in enumerate(itertools.product(STEPS, ANSWERS, ANSWERS)):
        provider = MemoryProvider((first, second), lag)
        directory = memory_path / str(number)
        outcome = crash_while_renting(directory, provider, at * 2)
        outcomes.add(outcome if outcome in ("none", "crashed") else "rented")
        expect_known(Fleet(directory), provider)
        expect_only(directory, provider, outcome)
    assert {"crashed", "rented"} <= outcomes


@pytest.mark.parametrize("lag", LAGS)
def test_of_two_that_belong_together_nothing_runs_unknown_either(lag: int, memory_path: Path) -> None:
    outcomes = set()
    answers = ((OK, OK), (OK, FAILED_CREATED), (LOST_CREATED, OK), (FAILED, FAILED, FAILED, OK))
    for number, (at, told) in enumerate(itertools.product(range(1, 40, 2), answers)):
        provider = MemoryProvider(told, lag)
        directory = memory_path / str(number)
        outcome = crash_while_renting(directory, provider, at, ("s1", "s2"))
        outcomes.add(outcome if outcome in ("none", "crashed") else "rented")
        expect_known(Fleet(directory), provider)
        expect_only(directory, provider, outcome)
        if outcome == "none":
            assert not provider.alive
        elif outcome != "crashed":
            assert len(provider.alive) == 2
    assert outcomes == {"crashed", "rented", "none"}


def expect_known(fleet: Fleet, provider: MemoryProvider) -> None:
    """What lives is open in the ledger, by its label."""
    known = {row.label for row in fleet.list_open()}
    assert {order.label for order in provider.alive.values()} <= known
    fleet.close()


def expect_only(directory: Path, provider: MemoryProvider, wanted: str) -> None:
    """After some rounds of the reconciler, the one that was rented lives and nothing else; the ledger says so."""
    fleet = Fleet(directory)
    for _ in range(4):
        asyncio.run(reconcile(fleet, provider))
    rented = {row.handle for row in fleet.list_open() if row.state is InstanceState.READY}
    assert set(provider.alive) == rented
    assert wanted in rented or wanted in ("none", "crashed")
    late = Fleet(directory, lambda: fleet.clock() + LATE + 1)
    for _ in range(2):
        asyncio.run(reconcile(late, provider))
    assert {row.handle for row in late.list_open()} == rented
    fleet.close()
    late.close()
