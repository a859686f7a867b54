"""The reconciler: makes ledger and provider agree, and ends what nobody wants any more.

Called at the start, before each create and by the keeper every ten minutes. Promises: a listing that cannot be read
changes nothing; what is not listed twice in a row is gone, and only then; what has another ledger's label is never
touched; what is being worked on (its lock is held) is left alone; what comes back after it was gone is ended.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import NamedTuple

from choline_jupyter.ledger.money import Accounts
from choline_jupyter.model.instance import NEVER_LISTED, InstanceRow, InstanceState
from choline_jupyter.providers.failure import ProviderFailure
from choline_jupyter.providers.provider import Provider, Sighting
from choline_jupyter.session.rent.fleet import PREFIX, USABLE, Fleet

EVERY = 600.0  # seconds between two rounds of the keeper
ABSENCES = 2  # listings in a row
_LOST = (InstanceState.PREEMPTED, InstanceState.STOPPED, InstanceState.DEAD)
LATE = 900.0  # seconds after which a create whose answer was lost will not appear any more


class Report(NamedTuple):
    """What a round has found: instances of this ledger that the ledger does not know, and those of others."""

    strays: list[Sighting]
    foreign: list[Sighting]


async def reconcile(fleet: Fleet, provider: Provider) -> Report:
    """One round; raises ProviderFailure when the provider could not be read, and then nothing was concluded."""
    labels = await fleet.run(fleet.ledger.list_labels, True)
    listing = await provider.list_mine()
    for row in await fleet.run(_settle_all, fleet, provider.name, labels, listing):
        await destroy(fleet, provider, row)
    for sighting in await fleet.run(_list_returned, fleet, listing):
        await provider.destroy(sighting.handle)
    return await fleet.run(_find_strangers, fleet, listing)


async def destroy(fleet: Fleet, provider: Provider, row: InstanceRow) -> bool:
    """Ask for an instance's end; whether the provider has taken it. It is gone when it is not listed any more.

    `unknown` means from here on that its end is wanted, `destroying` that the provider has taken it.
    """
    await fleet.run(fleet.note, row, InstanceState.UNKNOWN)
    try:
        handle = row.handle or await _find_handle(provider, row)
        if not handle:
            return False
        await provider.destroy(handle)
    except ProviderFailure:
        return False
    await fleet.run(fleet.note, row, InstanceState.DESTROYING, handle)
    return True


async def confirm_gone(fleet: Fleet, provider: Provider, row: InstanceRow, tries: int = 10, delay: float = 0.5) -> bool:
    """Look until two listings do not have it; whether it is gone for sure."""
    for _ in range(tries):
        try:
            await reconcile(fleet, provider)
        except ProviderFailure:
            pass
        if row.id not in {one.id for one in await fleet.run(fleet.list_open, provider.name)}:
            return True
        await asyncio.sleep(delay)
    return False


async def _find_handle(provider: Provider, row: InstanceRow) -> str:
    return next((one.handle for one in await provider.list_mine() if one.label == row.label), "")


def _settle_all(fleet: Fleet, provider: str, labels: set[str], listing: list[Sighting]) -> list[InstanceRow]:
    """Note what the listing says of those that were there before it; gives those that are to be ended."""
    by_label = {sighting.label: sighting for sighting in listing if sighting.label}
    by_handle = {sighting.handle: sighting for sighting in listing}
    free = labels - fleet.list_held()
    # Whoever held one may have brought it up while the provider was asked: what the ledger says now is what counts.
    rows = [row for row in fleet.list_open(provider) if row.label in free]
    accounts = fleet.ledger.money.read_accounts()
    settled = [
        _settle(fleet, accounts, row, by_label.get(row.label) or by_handle.get(row.handle or " ")) for row in rows
    ]
    return [row for row in settled if row]


def _settle(fleet: Fleet, accounts: Accounts, row: InstanceRow, sighting: Sighting | None) -> InstanceRow | None:
    """Note it; gives the instance if nobody wants it any more."""
    if sighting is None or sighting.state is InstanceState.GONE:
        _note_absence(fleet, row)
        return None
    if row.absences:
        fleet.ledger.note_absences(row.id, 0)
    if not row.handle:
        fleet.note(row, row.state, sighting.handle)
        row = dataclasses.replace(row, handle=sighting.handle)
    fleet.note_sighting(row, sighting, accounts)
    if sighting.state in _LOST:
        fleet.reasons.setdefault(row.label, sighting.reason.partition(":")[0] or sighting.state.value)
    if _is_unwanted(fleet, accounts, row, sighting):
        return row
    if sighting.state in (InstanceState.PREEMPTED, InstanceState.STOPPED) and row.state is not sighting.state:
        fleet.note(row, sighting.state)
    return None


def _is_unwanted(fleet: Fleet, accounts: Accounts, row: InstanceRow, sighting: Sighting) -> bool:
    """Nobody waits for it, it will never run, its end has come, or its end was asked for and has not come."""
    if row.state not in (*USABLE, InstanceState.STOPPED, InstanceState.PREEMPTED):
        return True
    return sighting.state is InstanceState.DEAD or fleet.find_left(row, accounts) <= 0


def _note_absence(fleet: Fleet, row: InstanceRow) -> None:
    """What has never been listed may still come, however often it was not: it is looked for until it is late."""
    is_late = fleet.clock() - row.created_at > LATE
    if row.absences == NEVER_LISTED and not is_late and row.state is not InstanceState.DESTROYING:
        return
    absences = max(row.absences, 0) + 1
    fleet.ledger.note_absences(row.id, absences)
    if absences >= ABSENCES:
        fleet.note(row, InstanceState.GONE)


def _list_returned(fleet: Fleet, listing: list[Sighting]) -> list[Sighting]:
    """What is listed again after it was said to be gone: its session may be elsewhere by now, and nobody would end it."""
    gone = fleet.ledger.list_labels() - fleet.ledger.list_labels(open_only=True)
    return [one for one in listing if one.label in gone and one.state is not InstanceState.GONE]


def _find_strangers(fleet: Fleet, listing: list[Sighting]) -> Report:
    """What has a label like ours and is not in this ledger."""
    known = fleet.ledger.list_labels()
    strange = [one for one in listing if one.label.startswith(f"{PREFIX}-") and one.label not in known]
    strays = [one for one in strange if fleet.is_own(one.label)]
    return Report(strays, [one for one in strange if one not in strays])
