"""The verbs about money: offers to rent, the budget, and the sweep for machines that nobody wants.

Called by `session.verbs`, in the engine's loop.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.names import make_identifier
from choline_jupyter.model.offer import Offer, Wish
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.providers.failure import ProviderFailure
from choline_jupyter.providers.provider import Provider, Sighting
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.ledger_report import render_machine, render_market
from choline_jupyter.session.rent.limits import DEADLINE, LEASE
from choline_jupyter.session.rent.losses import note_losses
from choline_jupyter.session.rent.market import FAILED, Found, Plan, survey
from choline_jupyter.session.rent.meter import HOUR, find_hourly
from choline_jupyter.session.rent.reconciler import confirm_gone, destroy, reconcile
from choline_jupyter.session.rent.suppliers import explain_missing, load_rented

_PATIENCE = 10.0


async def show_market(fleet: Fleet, wish: Wish, provider: str = "") -> str:
    """What could be rented now, as a table, or who lacks what."""
    found = await ask_market(fleet, wish, provider)
    if found:
        return render_market(found, Plan())
    missing = await fleet.run(explain_missing)
    return "\n".join(["No provider that rents machines is ready.", *(f"! {line}" for line in missing)])


async def ask_market(fleet: Fleet, wish: Wish, provider: str = "") -> Found | None:
    """What could be rented now; None when no provider is ready."""
    ready = [one for one in await fleet.run(load_rented) if provider in ("", one.name)]
    if not ready:
        return None
    failures = await fleet.run(fleet.ledger.money.list_failures, fleet.clock() - FAILED)
    return await survey(ready, wish, Plan(), failures)


async def look_around(fleet: Fleet, store: EventStore) -> list[str]:
    """A line for each machine that may cost money, as its provider tells now; one that cannot be asked is said.

    Where a ledger was lost, everybody who is ready is asked for machines that it knew.
    """
    used, is_lost = {row.provider for row in await fleet.run(fleet.list_open)}, await fleet.run(fleet.find_loss)
    lines = [f"! {is_lost}"] if is_lost else []
    for provider in [
        one for one in await fleet.run(_load_all) if one.name in used or (is_lost and not one.check_ready())
    ]:
        try:
            report = await asyncio.wait_for(reconcile(fleet, provider), _PATIENCE)
            lines += [f"! {one.label} on {provider.name} runs and is not in the ledger." for one in report.strays]
        except ProviderFailure as failure:
            lines.append(f"! {provider.name}: {failure} What follows is what was known last.")
        except asyncio.TimeoutError:
            lines.append(f"! {provider.name} does not answer. What follows is what was known last.")
    await fleet.run(note_losses, fleet, store)
    return [*lines, *await fleet.run(_list_open, fleet)]


async def sweep(fleet: Fleet, store: EventStore, *, adopts: bool) -> str:
    """Make ledger and providers agree, end what is not wanted; strays of this client are ended, or adopted."""
    lines: list[str] = []
    for provider in [one for one in await fleet.run(_load_all) if not one.check_ready()]:
        try:
            lines += await _sweep_one(fleet, store if adopts else None, provider)
        except ProviderFailure as failure:
            lines.append(f"! {provider.name}: {failure} Nothing is known of what runs there.")
    return "\n".join([*lines, *await fleet.run(_list_open, fleet)] or ["Nothing runs that is not wanted."])


async def _sweep_one(fleet: Fleet, adopting: EventStore | None, provider: Provider) -> list[str]:
    report = await reconcile(fleet, provider)
    lines = []
    for sighting in report.strays:
        row = await fleet.run(_adopt, fleet, provider.name, sighting)
        if adopting:
            await fleet.run(_keep, fleet, adopting, row)
            lines.append(f"Adopted {sighting.label} on {provider.name}; `choline stop {sighting.label}` ends it.")
        else:
            is_gone = await _end(fleet, provider, row)
            lines.append(
                f"{'Ended' if is_gone else 'Is ending'} {sighting.label} on {provider.name}, which was not known."
            )
    lines += [f"Left alone: {one.label} on {provider.name} is another client's." for one in report.foreign]
    return lines


async def _end(fleet: Fleet, provider: Provider, row: InstanceRow) -> bool:
    await destroy(fleet, provider, row)
    return await confirm_gone(fleet, provider, row)


def _adopt(fleet: Fleet, provider: str, sighting: Sighting) -> InstanceRow:
    """Take into the ledger what has our label and is not in it: the ledger was lost. It costs what its provider says."""
    now = fleet.clock()
    offer = Offer(provider, sighting.label)
    row = InstanceRow(
        make_identifier("i"), provider, sighting.label, "", offer.to_json(), sighting.handle, InstanceState.UNKNOWN,
        sighting.started_at or now, deadline_at=now, absences=0,
    )  # fmt: skip
    fleet.ledger.record_intent(row)
    fleet.ledger.money.note_rate(row.id, row.created_at, sighting.hour or 0.0, 0.0)
    return row


def _keep(fleet: Fleet, store: EventStore, row: InstanceRow) -> None:
    """It is used again, for as long as a machine is by default; its old session's names are not known any more."""
    fleet.note(row, InstanceState.READY)
    hourly = find_hourly(fleet.ledger.money.list_periods(row.id))
    fleet.ledger.limit_instance(row.id, hourly * DEADLINE / HOUR, LEASE, 0.0, fleet.clock() + DEADLINE)
    session = SessionRow(
        make_identifier("s"), row.label, row.provider, row.label, str(Path.cwd()), 1, SessionState.READY, fleet.clock(),
        Trust.RENTED,
    )  # fmt: skip
    store.save_session(session)
    store.flush()


def _load_all() -> list[Provider]:
    return load_rented(is_any=True)


def _list_open(fleet: Fleet) -> list[str]:
    return [render_machine(fleet, row) for row in fleet.list_open()]
