"""The fleet: every instance of this ledger, what it costs, and how it is reached.

Made by `session.engine`; its methods block for a commit of some milliseconds, so the event loop calls them through
`run`. Everything that is true of an instance is in the ledger; nothing is kept here.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from choline_jupyter.ledger.file_lock import FileLock, is_held
from choline_jupyter.ledger.ledger import FILE_NAME, Ledger
from choline_jupyter.ledger.money import Accounts, Period, is_rate
from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import Offer, Price, read_offer
from choline_jupyter.providers.provider import Contact, Sighting
from choline_jupyter.providers.rented import forget_host, note_host
from choline_jupyter.session.rent.clock import SteadyClock
from choline_jupyter.session.rent.meter import Cost, find_hourly, find_seconds, measure_cost

PREFIX = "choline"
_LOST = "A ledger was damaged and set aside: `choline gc` ends machines that only it knew, `choline gc --adopt` takes them in."
_RECENT = 7 * 86_400.0  # seconds; a machine of back then has ended itself
USABLE = (InstanceState.READY, InstanceState.BUSY, InstanceState.IDLE)
_Result = TypeVar("_Result")


class Fleet:
    """The instances in the ledger of `directory`. `clock` gives seconds since the epoch, steadily. No thread of its own."""

    def __init__(self, directory: Path, clock: Callable[[], float] | None = None) -> None:
        self.keys = directory / "keys"
        self.clock = clock or SteadyClock(directory / "clock.json")
        self.reasons: dict[str, str] = {}  # by label, why its provider has ended it, where it has said so
        self._directory, self._locks = directory, directory / "renting"

    @cached_property
    def ledger(self) -> Ledger:
        """Opened when money is first asked about: whoever rents nothing has no such file."""
        return Ledger(self._directory)

    @property
    def is_used(self) -> bool:
        """Whether anything was ever rented here."""
        return "ledger" in self.__dict__ or (self._directory / FILE_NAME).exists()

    def find_loss(self) -> str:
        """What to say of an earlier ledger that was damaged and set aside not long ago; empty where there was none."""
        aside = [path for path in self._directory.glob(f"{FILE_NAME}.damaged-*") if is_recent(path)]
        return _LOST if self.ledger.notice or aside else ""

    def close(self) -> None:
        """Close the ledger, if it was opened."""
        if "ledger" in self.__dict__:
            self.ledger.close()

    async def run(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """A method of this or of the ledger, in an executor. Who is cancelled goes on when it has ended: nothing overtakes it."""
        done = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise

    def set_clock(self) -> None:
        """By the clock of day, while nothing is counted by it; called before an intent is recorded."""
        if isinstance(self.clock, SteadyClock) and not self.list_open():
            self.clock.set_anew()

    def make_label(self) -> str:
        """A label that was never used: of this ledger, found again by `is_own`."""
        return f"{PREFIX}-{self.ledger.find_client()}-{secrets.token_hex(5)}"

    def is_own(self, label: str) -> bool:
        """Whether a label is of this ledger's making."""
        return label.startswith(f"{PREFIX}-{self.ledger.find_client()}-")

    def hold(self, label: str) -> FileLock:
        """While this lock is held, somebody is at work on the instance: the reconciler leaves it alone."""
        self._locks.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(self._locks / f"{label}.lock")
        lock.seize(0)
        return lock

    def list_held(self) -> set[str]:
        """The labels of all that somebody is at work on now."""
        return {path.stem for path in self._locks.glob("*.lock") if is_held(path)}

    def list_open(self, provider: str = "") -> list[InstanceRow]:
        """What may still exist, of one provider or of all."""
        return [row for row in self.ledger.list_instances(open_only=True) if provider in ("", row.provider)]

    def find_contact(self, row: InstanceRow) -> Contact:
        """How an instance is reached; its key is on the disk then."""
        note_host(self.keys, row.label, row.address, row.host_key)
        return Contact(row.label, row.handle, row.address, row.host_key, self.keys)

    def note(self, row: InstanceRow, state: InstanceState, handle: str | None = None) -> None:
        """What became of it; one that is gone costs nothing from now on."""
        self.ledger.update_instance(row.id, state, handle)
        if state is InstanceState.GONE:
            self.ledger.money.note_rate(row.id, self.clock(), 0.0, 0.0)
            forget_host(self.keys, row.label)
            with suppress(OSError):
                (self._locks / f"{row.label}.lock").unlink(missing_ok=True)

    def note_sighting(self, row: InstanceRow, sighting: Sighting, accounts: Accounts | None = None) -> None:
        """What its provider has told of it: where it is, what it costs. `accounts` spare a look at the ledger."""
        if sighting.address and sighting.address != row.address:
            self.ledger.note_address(row.id, sighting.address)
        if sighting.billed is not None:
            self.ledger.money.note_bill(row.id, sighting.billed)
        self._note_price(row, sighting, accounts)

    def _note_price(self, row: InstanceRow, sighting: Sighting, accounts: Accounts | None) -> None:
        price = read_price(row)
        hour = price.hour if sighting.hour is None else sighting.hour
        is_stopped = sighting.state in (InstanceState.STOPPED, InstanceState.PREEMPTED)
        disk = price.find_hourly(row.disk, is_stopped) - (0.0 if is_stopped else price.hour)
        machine = 0.0 if is_stopped else hour
        if not (accounts and is_rate(accounts.periods.get(row.id, ()), machine, disk)):
            self.ledger.money.note_rate(row.id, self.clock(), machine, disk)

    def find_cost(self, row: InstanceRow, accounts: Accounts | None = None) -> Cost:
        """What it has cost so far."""
        periods, moved = self._read(row, accounts)
        return measure_cost(periods, moved, read_price(row), self.clock())

    def find_cost_since(self, since: float) -> Cost:
        """What all instances have cost since then; one that is older counts with what came later only."""
        total, accounts = Cost(), self.ledger.money.read_accounts()
        for row in self.ledger.list_instances():
            if row.ended_at is None or row.ended_at >= since:
                total = total.plus(self._find_part(row, since, accounts))
        return total

    def find_reserved(self) -> float:
        """What the budgets of open instances allow them beyond what they have cost."""
        return sum(max(0.0, row.budget - self.find_cost(row).total) for row in self.list_open())

    def find_left(self, row: InstanceRow, accounts: Accounts | None = None) -> float:
        """Seconds until its budget is spent at the price of now, or its deadline is reached."""
        periods, moved = self._read(row, accounts)
        cost = measure_cost(periods, moved, read_price(row), self.clock())
        return min(find_seconds(row.budget - cost.total, find_hourly(periods)), row.deadline_at - self.clock())

    def describe(self, row: InstanceRow) -> str:
        """`4x RTX 3090 on vast, 1.20 USD/h`."""
        offer, hourly = find_offer(row), find_hourly(self.ledger.money.list_periods(row.id))
        return f"{offer.gpus or 'a machine'} on {row.provider}, {hourly:.2f} USD/h"

    def describe_billing(self, rows: Sequence[InstanceRow] | None = None) -> tuple[str, ...]:
        """A phrase for each instance that costs money now."""
        try:
            return tuple(self.describe(row) for row in (self.list_open() if rows is None else rows))
        except StoreError:
            return ("what the ledger would tell, which cannot be read; your provider's own page does",)

    def _read(self, row: InstanceRow, accounts: Accounts | None) -> tuple[Sequence[Period], tuple[int, int]]:
        if accounts:
            return accounts.periods.get(row.id, ()), accounts.moved.get(row.id, (0, 0))
        return self.ledger.money.list_periods(row.id), self.ledger.money.find_transfer(row.id)

    def _find_part(self, row: InstanceRow, since: float, accounts: Accounts) -> Cost:
        noted, moved = self._read(row, accounts)
        periods = [period._replace(since=max(period.since, since)) for period in noted]
        moved = moved if row.created_at >= since else (0, 0)
        return measure_cost(periods, moved, read_price(row), max(self.clock(), since))


def is_recent(path: Path) -> bool:
    """Whether a file was written within the last days."""
    try:
        return time.time() - path.stat().st_mtime < _RECENT
    except OSError:
        return False


def find_offer(row: InstanceRow) -> Offer:
    """The offer that an instance came of; one that cannot be read costs what the ledger has noted."""
    return _read_offer(row.offer) or Offer(row.provider, row.label)


@lru_cache(maxsize=4096)
def _read_offer(text: str) -> Offer | None:
    try:
        return read_offer(text)
    except ValueError:
        return None


def read_price(row: InstanceRow) -> Price:
    """The parts of its price."""
    return find_offer(row).price
