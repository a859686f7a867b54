"""The purse: the machines that are rented for one script on several of them, and the one budget that they share.

Made by `cli.nodes`, used by `session.nodes.crew`; in the engine's loop. Promises: machines that begin together come all or
none; what those that are gone have cost and those that live may cost is never more than the budget; all are in one network; the
ledger knows each of them before its provider does, so `end` ends whatever there is, however far anything else has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from choline_jupyter.errors import HostError, RequestError, SessionEnded
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.names import make_identifier
from choline_jupyter.model.offer import ANY_NETWORK
from choline_jupyter.providers.provider import MULTI_NODE, Provider
from choline_jupyter.session.rent.fleet import find_offer
from choline_jupyter.session.rent.limits import RESUME, STOP, Limits
from choline_jupyter.session.rent.meter import HOUR, find_hourly, render_money
from choline_jupyter.session.rent.session_money import LEAST, LEAST_USD
from choline_jupyter.session.rent.suppliers import load_rented

if TYPE_CHECKING:
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.engine import Engine
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.rent.renter import Rent
    from choline_jupyter.session.spec import SessionSpec

_MINUTE = 60.0  # seconds that a machine whose end was taken by its provider may still cost
_TRIES = 3  # of ending several, each of which may come to its own end meanwhile


class Spending(NamedTuple):
    """USD that all machines have cost so far, and how many came to be."""

    total: float
    machines: int


class Purse:
    """`rent` is what the user asked for, its budget for all machines together."""

    def __init__(self, engine: Engine, rent: Rent) -> None:
        self._engine, self._fleet = engine, engine.tenancy.fleet
        self._rent, self.budget = rent, rent.limits.budget
        self._provider, self._network = rent.provider, ANY_NETWORK
        self._sessions: list[str] = []  # all that a machine was ever asked for
        self._has_begun = False

    @property
    def replaces(self) -> bool:
        """Whether another machine takes the place of a lost one."""
        return self._rent.on_loss in ("", RESUME)

    async def rent(self, specs: Sequence[SessionSpec]) -> list[LiveSession]:
        """A machine for each of these new sessions. Raises CholineError, and then there is none of them."""
        limits = await self._fleet.run(self._find_limits)
        wish = replace(self._rent.wish, network=self._network)
        # What one of them had does not go on elsewhere by itself: that is for all of them together to decide.
        wanted = replace(self._rent, wish=wish, limits=limits, provider=self._provider, on_loss=STOP)
        specs = [replace(spec, rent=wanted) for spec in specs]
        names = [make_identifier("s") for _ in specs]
        self._sessions += names
        rows = await self._engine.rent(specs, names, allows=has_network)
        self._has_begun = True
        await self._fleet.run(self._note_place, rows[0])
        await self._fleet.run(self._share_out, set(names))
        settling = [self._engine.settle(row, spec, None) for row, spec in zip(rows, specs, strict=True)]
        return list(await asyncio.gather(*settling))

    async def give_back(self, session: LiveSession) -> None:
        """End the machine of a session that is not heard of any more, if it is not gone already."""
        machine = await self._fleet.run(self._engine.tenancy.find_machine, session.row)
        await self._end([machine] if machine else [])
        await self._close(session.row)
        if not session.has_ended:
            session.end("its machine is not heard of any more")

    async def end(self) -> bool:
        """End all machines; whether all are gone for sure. Raises CholineError when a provider cannot be used."""
        return await self._end(await self._fleet.run(self._list_open))

    def add_up(self) -> Spending:
        """What all of it has cost. Blocks."""
        machines = [machine for machine in self._list_machines() if machine.handle]
        return Spending(sum(self._fleet.find_cost(machine).total for machine in machines), len(machines))

    async def _end(self, machines: Sequence[InstanceRow]) -> bool:
        rows = [row for one in machines if (row := self._engine.store.find_session(one.session))]
        for row in rows:
            await self._close(row)  # before its machine is gone: nobody is to think that it was lost
        is_gone = False
        for _ in range(_TRIES):
            known = {row.label for row in await self._fleet.run(self._fleet.list_open)}
            with suppress(SessionEnded):
                is_gone = await self._engine.tenancy.release(*[one.label for one in machines if one.label in known])
                break
        for row in rows:
            await self._engine.drop(row)
        return is_gone

    async def _close(self, row: SessionRow) -> None:
        self._engine.close_row(row)
        await self._fleet.run(self._engine.store.flush)

    def _list_machines(self) -> list[InstanceRow]:
        ledger = self._fleet.ledger
        return [machine for session in self._sessions for machine in ledger.list_of_session(session)]

    def _list_open(self) -> list[InstanceRow]:
        return [machine for machine in self._list_machines() if machine.state.is_open]

    def _note_place(self, row: SessionRow) -> None:
        """Others have to be where the first machine is."""
        machine = self._engine.tenancy.find_machine(row)
        if machine:
            self._provider, self._network = machine.provider, find_offer(machine).network

    def _find_limits(self) -> Limits:
        """Within which limits machines may be rented; to the first ones, and so to the whole budget, the user agrees."""
        if not self._has_begun:
            return self._rent.limits
        machines = self._list_machines()
        money = self.budget - sum(map(self._find_claim, machines))
        seconds = min(machine.deadline_at for machine in machines) - self._fleet.clock()
        if money < LEAST_USD or seconds < LEAST:
            what = f"of {render_money(self.budget)} nothing is left" if money < LEAST_USD else "its deadline has come"
            raise HostError(f"{what[0].upper()}{what[1:]}.", "Run it again with --resume and another limit.")
        return replace(self._rent.limits, budget=money, deadline=seconds, is_agreed=True)

    def _find_claim(self, machine: InstanceRow) -> float:
        """What of the budget is a machine's: what it has cost, and while it may live what it may cost."""
        spent = self._fleet.find_cost(machine).total
        if machine.state is InstanceState.GONE:
            return spent
        if machine.state is InstanceState.DESTROYING:
            return spent + self._find_hourly(machine) * _MINUTE / HOUR
        return max(machine.budget, spent)

    def _find_hourly(self, machine: InstanceRow) -> float:
        return find_hourly(self._fleet.ledger.money.list_periods(machine.id))

    def _share_out(self, sessions: set[str]) -> None:
        """Have all new machines end at the same time, when what is left for them is spent; they have not been told yet.

        None is allowed more than it was ordered with: its watchdog knows of that.
        """
        machines = self._list_machines()
        new = [one for one in machines if one.session in sessions and one.state.is_open]
        spent = {one.id: self._fleet.find_cost(one).total for one in new}
        rates = {one.id: self._find_hourly(one) for one in new}
        if not new or not all(rates.values()):
            return
        left = self.budget - sum(self._find_claim(one) for one in machines if one not in new) - sum(spent.values())
        hours = [left / sum(rates.values()), *((one.budget - spent[one.id]) / rates[one.id] for one in new)]
        for one in new:
            share = spent[one.id] + max(0.0, min(hours)) * rates[one.id]
            self._fleet.ledger.limit_instance(one.id, share, one.lease, one.hold, one.deadline_at)


def has_network(provider: Provider) -> bool:
    """Whether a provider's machines can be had in one network."""
    return MULTI_NODE in provider.capabilities


def check_rent(rent: Rent) -> None:
    """Raise RequestError where no provider that is asked for has machines that reach each other, and for a policy that is
    for a session alone.
    """
    if rent.on_loss not in ("", RESUME, STOP):
        raise RequestError(f"--on-loss {rent.on_loss} does not go with --nodes.", f"There are {RESUME} and {STOP}.")
    suited = [one for one in load_rented(is_any=True) if has_network(one)]
    names = " or ".join(one.name for one in suited)
    instead = f"Use --provider {names}, or" if names else "Use"
    if rent.provider and rent.provider not in [one.name for one in suited]:
        raise RequestError(
            f"Machines of {rent.provider} do not reach each other, and nodes have to.",
            f"{instead} --host with machines of one network.",
        )
    lacks = [f"{one.name}: {one.check_ready()}" for one in suited if rent.provider in ("", one.name)]
    if not any(lack.endswith(": ") for lack in lacks):
        raise RequestError(
            f"No provider is ready whose machines reach each other, and nodes have to ({'; '.join(lacks)}).",
            "Make it ready, or use --host with machines of one network.",
        )
