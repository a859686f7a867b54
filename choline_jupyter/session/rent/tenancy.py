"""The tenancy: which rented machine a session lives on, found or rented, limited while it runs, ended with the session.

Made by `session.engine`, which opens the connections; lives in its loop. It is all that the engine knows of money.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from choline_jupyter.errors import CholineError, HostError, SessionEnded
from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.instance import InstanceRow
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.providers.failure import ProviderFailure
from choline_jupyter.providers.fit import fits
from choline_jupyter.providers.provider import Contact, Provider
from choline_jupyter.session.connection import Connection
from choline_jupyter.session.keeping import start_keeper
from choline_jupyter.session.rent.fleet import USABLE, Fleet, find_offer
from choline_jupyter.session.rent.halts import render_storage
from choline_jupyter.session.rent.limits import Limits
from choline_jupyter.session.rent.losses import is_waited, list_halted, note_losses
from choline_jupyter.session.rent.meter import render_money
from choline_jupyter.session.rent.reconciler import ABSENCES, confirm_gone, destroy, reconcile
from choline_jupyter.session.rent.renter import Renter
from choline_jupyter.session.rent.session_money import add_up, add_up_for
from choline_jupyter.session.rent.suppliers import load_rented
from choline_jupyter.session.rent.waiting import WaitingLine
from choline_jupyter.session.spec import SessionSpec
from choline_jupyter.wire.frame import Type

GREETING = 180.0  # seconds from `running` until the machine lets us in
_AGAIN = 1.0
_TICK = 1.0
_GONE = "The session's machine is gone."
_EVERY = 30.0  # seconds between two looks at what a machine has cost
_CUT = 3  # ticks without a connection, after which its provider is asked

Answer = asyncio.Future[dict[str, Any]]
Greet = Callable[[Contact], Awaitable[Any]]
Agree = Callable[[str], Awaitable[bool]]
Allows = Callable[[Provider], bool]


class Tenancy:
    """Owns one task for each machine that is used in this process: it tells the machine how long its budget lasts."""

    def __init__(self, fleet: Fleet, store: EventStore, agree: Agree) -> None:
        self.fleet, self._store, self._agree = fleet, store, agree
        self._alerted: dict[str, float] = {}
        self._standing: set[str] = set()  # stopped machines that are being ended, by label, of which it was said
        self.greeting, self.period = GREETING, _EVERY
        self.watch = start_keeper  # called when there is something to watch over
        self.make_line: Callable[[], WaitingLine] = WaitingLine  # on which somebody waits for a machine
        self.on_loss: Callable[[str], Awaitable[bool]] = _give_up  # whether what a lost machine had goes on elsewhere
        self._meters: dict[str, asyncio.Task[None]] = {}

    async def find(self, spec: SessionSpec) -> SessionRow | None:
        """The open session of this name whose machine is what is asked for."""
        rows = [row for row in self._store.list_sessions() if row.state.is_open and row.name == spec.name]
        machines = {row.label: row for row in await self.fleet.run(self.fleet.list_open)}
        for row in rows:
            machine = machines.get(row.machine)
            if machine and machine.state in USABLE and _suits(spec, machine):
                await self.fleet.run(self._limit, machine, spec.rent.limits if spec.rent else None)
                return row
        return None

    async def rent(
        self,
        specs: Sequence[SessionSpec],
        greet: Greet,
        sessions: Sequence[str],
        epoch: int = 1,
        allows: Allows = lambda provider: True,
    ) -> list[SessionRow]:
        """A machine for each of these new sessions, or for the next epoch of one, which has let us in; all or none. Their
        rents are the same: one budget for all of them. Raises CholineError.

        `allows(provider)`: whether one may be asked.
        """
        rent = specs[0].rent
        assert rent
        loss = await self.fleet.run(self.fleet.find_loss)
        if loss:
            sys.stderr.write(f"choline: {loss}\n")
        line = self.make_line()
        providers = [one for one in await self.fleet.run(load_rented) if allows(one)]

        async def agree(question: str) -> bool:
            line.pause()
            return await self._agree(question)

        renter = Renter(self.fleet, providers, agree, lambda machine: self.greet(machine, greet), self.watch)
        ticking = asyncio.get_running_loop().create_task(self._tick(line, sessions))
        try:
            machines = await renter.rent(rent, sessions, epoch, line.tell)
        except BaseException:
            with contextlib.suppress(asyncio.CancelledError):  # the last word is said whatever comes in between
                line.tick(await self.fleet.run(self._find_cost, sessions))
            line.close("nothing was kept" + self._tell_left(sessions))
            raise
        finally:
            ticking.cancel()
        line.close(_tell_there(machines))
        rows = [
            SessionRow(
                session, spec.name, machine.provider, machine.label, spec.directory, epoch, SessionState.READY,
                self.fleet.clock(), spec.trust,
            )
            for session, spec, machine in zip(sessions, specs, machines, strict=True)
        ]  # fmt: skip
        for row in rows:
            self._store.save_session(row)
        await self.fleet.run(self._store.flush)
        return rows

    async def limit(self, label: str, limits: Limits, connection: Connection) -> None:
        """What a later cell says of its machine's limits, which is told at once. Raises CholineError."""
        await self.fleet.run(self._limit, self._find(label), limits)
        await self._tell(self._find(label), connection)

    async def extend(self, label: str, connection: Connection) -> None:
        """Its lease begins anew. Raises CholineError."""
        await self._tell(await self.fleet.run(self._find, label), connection)

    def _limit(self, machine: InstanceRow, limits: Limits | None) -> None:
        """A budget can only be lowered."""
        if limits:
            budget, deadline_at = min(limits.budget, machine.budget), machine.created_at + limits.deadline
            self.fleet.ledger.limit_instance(machine.id, budget, limits.lease, limits.hold, deadline_at)

    async def _tell(self, machine: InstanceRow, connection: Connection, *, is_act: bool = True) -> None:
        """Tell a machine how long it may live."""
        await asyncio.wait_for(await self._send(machine, connection, is_act=is_act), self.period)

    async def _send(self, machine: InstanceRow, connection: Connection, *, is_act: bool) -> Answer:
        left = await self.fleet.run(self.fleet.find_left, machine)
        wish = {"left": left, "lease": machine.lease, "hold": machine.hold, "touch": is_act, "session": machine.session}
        return connection.ask(Type.LIMIT, wish)

    def find_contact(self, label: str) -> Contact:
        """How the machine of this label is reached; raises SessionEnded when there is none any more."""
        return self.fleet.find_contact(self._find(label))

    def is_rented(self, row: SessionRow) -> bool:
        """Whether a session lives on a machine that costs money."""
        return row.trust is not Trust.OWN and self.fleet.is_used and self.find_machine(row) is not None

    def find_machine(self, row: SessionRow) -> InstanceRow | None:
        """The machine that a session lives on, while it may exist."""
        return next((machine for machine in self.fleet.list_open() if machine.label == row.machine), None)

    async def start_meter(self, label: str, connection: Connection, *, is_act: bool = True) -> None:
        """From now on the machine knows how long its budget lasts, whatever becomes of this process; it hears of it before
        its first job.
        """
        if label not in self._meters:
            answer = await self._send(await self.fleet.run(self._find, label), connection, is_act=is_act)
            answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # the meter says it again
            self._meters[label] = asyncio.get_running_loop().create_task(self._meter(label, connection))

    async def release(self, *labels: str) -> bool:
        """End machines; whether all are gone for sure. Raises CholineError when a provider cannot be used."""
        for meter in [self._meters.pop(label) for label in labels if label in self._meters]:
            meter.cancel()
        machines = [self._find(label) for label in labels]
        providers = {machine.provider: self.load(machine.provider) for machine in machines}
        await asyncio.gather(*(destroy(self.fleet, providers[machine.provider], machine) for machine in machines))
        return all([await confirm_gone(self.fleet, providers[one.provider], one) for one in machines])

    async def greet(self, machine: InstanceRow, greet: Greet) -> None:
        """Until it lets us in with the key that it was given; a machine that says `running` may not listen yet."""
        deadline = self.fleet.clock() + self.greeting
        contact = await self.fleet.run(self.fleet.find_contact, machine)
        while True:
            try:
                await greet(contact)
            except HostError as error:
                if self.fleet.clock() > deadline:
                    raise ProviderFailure(f"it does not let us in: {error.message}") from None
            else:
                return
            await asyncio.sleep(_AGAIN)

    def load(self, name: str) -> Provider:
        """The provider of this name. Raises CholineError."""
        for provider in load_rented(is_any=True):
            if provider.name == name:
                return provider
        raise CholineError(
            f"The provider {name} is not installed any more.", "Install it again, so that its machines can be ended.",
            self.fleet.describe_billing(),
        )  # fmt: skip

    def close(self) -> None:
        """Let go; machines go on as their limits say."""
        for meter in self._meters.values():
            meter.cancel()
        self.fleet.close()

    async def _tick(self, line: WaitingLine, sessions: Sequence[str]) -> None:
        while True:
            await asyncio.sleep(_TICK)
            line.tick(await self.fleet.run(self._find_cost, sessions))

    def _find_cost(self, sessions: Sequence[str]) -> float:
        return sum(add_up(self.fleet, session).spent.total for session in sessions)

    def _tell_left(self, sessions: Sequence[str]) -> str:
        """What is not known to be gone yet."""
        left = [row for row in self.fleet.list_open() if row.session in sessions]
        ending = ", ".join(self.fleet.describe_billing(left))
        return f"; still being ended: {ending}" if left else ""

    async def _meter(self, label: str, connection: Connection) -> None:
        """Note what has gone either way, and say what the budget is worth now."""
        counted = (0, 0)
        while True:
            with contextlib.suppress(HostError, asyncio.TimeoutError):
                machine = await self.fleet.run(self._find, label)
                counted = await self._count(machine, connection, counted)
                await self._tell(machine, connection, is_act=False)
                await self.fleet.run(self._alert, machine)
            await self._pause(connection)
            is_over = label not in await self.fleet.run(self.fleet.ledger.list_labels, True)
            if is_over or (not connection.is_connected and await self._is_gone(label)):
                self._meters.pop(label, None)
                if not await self.on_loss(label):
                    connection.abandon(SessionEnded(_GONE, "Run the cell again: it asks for another one."))
                return

    async def _pause(self, connection: Connection) -> None:
        """Until the next look; a machine that has not been reached for some moments is looked at sooner."""
        end = asyncio.get_running_loop().time() + self.period
        cut = 0
        while (left := end - asyncio.get_running_loop().time()) > 0 and cut < _CUT:
            await asyncio.sleep(min(left, _TICK))
            cut = 0 if connection.is_connected else cut + 1

    async def _is_gone(self, label: str) -> bool:
        """Whether the provider says so, when a machine cannot be reached; one that cannot be asked has not said it. One that was
        stopped and is waited for is gone for who has used it.
        """
        machines = [row for row in await self.fleet.run(self.fleet.list_open) if row.label == label]
        with contextlib.suppress(ProviderFailure, CholineError):
            for machine in machines:
                provider = await self.fleet.run(self.load, machine.provider)
                for _ in range(ABSENCES):
                    await reconcile(self.fleet, provider)
                for halted in await self.fleet.run(list_halted, self.fleet, self._store, provider.name):
                    await destroy(self.fleet, provider, halted)
                    if not await confirm_gone(self.fleet, provider, halted):
                        self._tell_standing(halted)
        await self.fleet.run(note_losses, self.fleet, self._store)
        is_open = label in await self.fleet.run(self.fleet.ledger.list_labels, True)
        return not is_open or await self.fleet.run(is_waited, self.fleet, self._store, label)

    def _tell_standing(self, machine: InstanceRow) -> None:
        """Say it once that a machine which was stopped is not known to be gone."""
        if machine.label not in self._standing:
            self._standing.add(machine.label)
            why = self.fleet.reasons.get(machine.label, "stopped")
            cost = f"until its provider has taken that, its disk costs {render_storage(machine)}"
            sys.stderr.write(f"choline: {machine.label} was {why} and is being ended; {cost}.\n")
            sys.stderr.flush()

    def _alert(self, machine: InstanceRow) -> None:
        """Say it once when half, most and all of a budget is spent."""
        account = add_up_for(self.fleet, machine)
        reached = account.reached
        if reached > self._alerted.get(machine.label, 0.0):
            self._alerted[machine.label] = reached
            what = f"{reached:.0%} of {render_money(account.budget)} are spent on {self.fleet.describe(machine)}"
            sys.stderr.write(f"choline: {what}; the machine ends itself when all is.\n")
            sys.stderr.flush()

    async def _count(self, machine: InstanceRow, connection: Connection, counted: tuple[int, int]) -> tuple[int, int]:
        moved = connection.bytes_sent, connection.bytes_received
        if moved != counted:
            up, down = moved[0] - counted[0], moved[1] - counted[1]
            await self.fleet.run(self.fleet.ledger.money.add_transfer, machine.id, up, down)
        return moved

    def _find(self, label: str) -> InstanceRow:
        for machine in self.fleet.list_open():
            if machine.label == label:
                return machine
        raise SessionEnded(_GONE, "Run the cell again: it asks for another one.")


def _tell_there(machines: Sequence[InstanceRow]) -> str:
    what = f"{find_offer(machines[0]).gpus or 'the machine'} on {machines[0].provider}"
    return f"{what} is there" if len(machines) == 1 else f"{len(machines)} machines ({what}) are there"


async def _give_up(_label: str) -> bool:
    return False


def _suits(spec: SessionSpec, machine: InstanceRow) -> bool:
    """Whether a machine is what a cell asks for; a cell that asks for nothing but the provider takes any of it."""
    return bool(
        spec.rent and spec.rent.provider in ("", machine.provider) and fits(find_offer(machine), spec.rent.wish)
    )
