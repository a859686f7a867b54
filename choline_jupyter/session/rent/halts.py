"""Halts: machines that their provider has stopped (outbid, or by somebody's hand), whose disk is kept and costs on.

Called by `session.rent.losses`, which says whose they are, and by `session.standstill`, which waits for them. Promises: nothing
is kept here, since when a machine stands is read from the rates in the ledger, so all processes say the same; a wait ends while
what is left of the budget still pays for going on, and before the deadline, whatever the user allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from choline_jupyter.ledger.money import Period
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import MONTH
from choline_jupyter.providers.failure import ProviderFailure
from choline_jupyter.providers.provider import Provider
from choline_jupyter.session.rent.fleet import Fleet, read_price
from choline_jupyter.session.rent.meter import HOUR, find_seconds, render_money
from choline_jupyter.session.rent.reconciler import ABSENCES, reconcile
from choline_jupyter.session.rent.session_money import LEAST

HALTED = (InstanceState.PREEMPTED, InstanceState.STOPPED)


class Halt(NamedTuple):
    """A machine that stands, since when, and until when it is waited for at most, in seconds since the epoch; `is_cut`: its
    budget or its deadline allows no more.
    """

    machine: InstanceRow
    since: float
    until: float
    is_cut: bool


def find_halt(fleet: Fleet, machine: InstanceRow, wait: float) -> Halt:
    """Of a machine that is halted by the ledger and may be waited for so many seconds.

    One that costs as if it ran has been seen to run again since: its time begins when it is halted the next time.
    """
    now, price = fleet.clock(), read_price(machine)
    since = find_start(fleet.ledger.money.list_periods(machine.id))
    since = now if since is None else since
    going_on = price.find_hourly(machine.disk) * LEAST / HOUR
    left = machine.budget - fleet.find_cost(machine).total - going_on
    paid = now + find_seconds(left, find_storage(machine)) if left > 0 else now
    latest = min(paid, machine.deadline_at - LEAST)
    return Halt(machine, since, min(since + wait, latest), latest < since + wait)


def find_start(periods: Sequence[Period]) -> float | None:
    """Since when nothing but its disk has been paid for; None of one that runs."""
    start = None
    for period in reversed(periods):
        if period.machine:
            break
        start = period.since
    return start


def find_storage(machine: InstanceRow) -> float:
    """What its disk costs while it stands, in USD per hour."""
    return read_price(machine).find_hourly(machine.disk, is_stopped=True)


def render_storage(machine: InstanceRow) -> str:
    """`0.0041 USD/h (3.00 USD a month)`."""
    hourly = find_storage(machine)
    return f"{render_money(hourly)}/h ({render_money(hourly * MONTH)} a month)"


async def is_back(fleet: Fleet, provider: Provider, machine: InstanceRow) -> bool:
    """Whether its provider says that it runs again; what it says of the price is noted. One that will not run, or is not known
    any more, is looked for in the listings, by which it is gone or not. A provider that cannot be asked has not said it.
    """
    with suppress(ProviderFailure):
        sighting = await provider.describe(machine.handle)
        if sighting and sighting.state in (*HALTED, InstanceState.BOOTING, InstanceState.READY):
            await fleet.run(fleet.note_sighting, machine, sighting)
            return sighting.state is InstanceState.READY and bool(sighting.address)
        for _ in range(ABSENCES):
            await reconcile(fleet, provider)
    return False
