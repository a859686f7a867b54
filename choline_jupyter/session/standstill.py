"""Standstills: a session whose machine was stopped by its provider waits for it, where its user wants that, and goes on there.

Made by `session.recovery`, which holds the session's lock; in the engine's loop. Promises: it is said once what is waited for,
for how long, and what it costs; a machine that runs again is the session's next epoch, as any other machine would be; one that
is not waited for any more is gone, with its disk, before this returns.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from choline_jupyter.errors import CholineError, HostError, SessionEnded
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.session import SessionRow, SessionState
from choline_jupyter.providers.failure import ProviderFailure
from choline_jupyter.session.last_words import hear_out
from choline_jupyter.session.rent.halts import Halt, is_back, render_storage
from choline_jupyter.session.rent.losses import find_machine, find_waited
from choline_jupyter.session.report import render_duration
from choline_jupyter.wire.frame import Type

if TYPE_CHECKING:
    from choline_jupyter.session.engine import Engine
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.spec import SessionSpec

_EVERY = 10.0  # seconds between two looks
_AGAIN = 1.0
_PATIENCE = 10.0

Say = Callable[[str], None]


class Standstill:
    """One session's. No thread, no task of its own."""

    def __init__(self, engine: Engine, row: SessionRow, spec: SessionSpec, say: Say) -> None:
        self._engine, self._tenancy, self._fleet = engine, engine.tenancy, engine.tenancy.fleet
        self._row, self._spec, self._say = row, spec, say

    async def outlast(self, told: str, halt: Halt | None) -> InstanceRow | None:
        """The machine, once it runs and has let us in; None when it is gone. Raises SessionEnded when the session is over."""
        if halt:
            self._say(f"{told}; {_describe_wait(halt, self._fleet.clock())}")
        while waited := await self._fleet.run(self._find):
            machine = waited.machine
            provider = await self._fleet.run(self._tenancy.load, machine.provider)
            if await is_back(self._fleet, provider, machine) and await self._enter(machine):
                return machine
            left = waited.until - self._fleet.clock()
            await asyncio.sleep(max(0.0, min(_EVERY, self._tenancy.period, left)))
        await self.clear()
        return None

    async def clear(self) -> None:
        """Have the machine ended; returns when it is gone for sure. Raises SessionEnded when the session was, meanwhile."""
        said = ""
        while await self._fleet.run(self._find_open) is not None:
            told = await self.end()
            if not said and await self._fleet.run(self._find_open) is not None:
                said = told
                self._say(said)
            await asyncio.sleep(_AGAIN if said else 0)
        now = await self._fleet.run(self._engine.store.find_session, self._row.id)
        if now is None or not now.state.is_open:
            raise SessionEnded("it was stopped.", "Run the cell again: it asks for another machine.")

    async def end(self) -> str:
        """Have the machine ended, and say what is known of that."""
        machine = await self._fleet.run(self._find_open)
        with suppress(CholineError):
            if machine is None or await self._tenancy.release(machine.label):
                machine = None
        if machine is None:
            return f"{self._row.machine} is gone, with its disk, and costs nothing more"
        return f"{machine.label} is being ended; until it is, its disk costs {render_storage(machine)}"

    async def hear_out(self, session: LiveSession | None) -> None:
        """What came of the session there until it was stopped, and had not come here. Raises CholineError."""
        connection = await self._engine.reach(self._row)
        with suppress(CholineError, asyncio.TimeoutError):  # what may have outlived the stop
            await asyncio.wait_for(connection.request(Type.STOP, {"session": self._row.id}), _PATIENCE)
        await self._fleet.run(self._engine.store.flush)
        heard = session or await self._engine.join(self._row, follow=False)
        if session is None:
            heard.feed.on_arrival = lambda: _consume(heard)
        await hear_out(heard, connection)
        if session is None:
            self._engine.sessions.pop(self._row.id, None)

    async def return_to(self, machine: InstanceRow, epoch: int, session: LiveSession | None) -> LiveSession:
        """Have the session open there, in this epoch. Raises CholineError."""
        row = dataclasses.replace(self._row, epoch=epoch, state=SessionState.READY)
        self._engine.store.save_session(row)
        await self._fleet.run(self._engine.store.flush)
        session = await self._engine.settle(row, self._spec, session)
        await self._fleet.run(self._fleet.note, machine, InstanceState.READY)
        return session

    async def _enter(self, machine: InstanceRow) -> bool:
        """Whether it lets us in; one that does not is ended, unless it stands again."""
        now = await self._fleet.run(self._find_open)
        try:
            await self._engine.regain(now or machine, self._spec)
        except (HostError, ProviderFailure, asyncio.TimeoutError):
            provider = await self._fleet.run(self._tenancy.load, machine.provider)
            if await is_back(self._fleet, provider, machine):
                await self.clear()
            return False
        return True

    def _find(self) -> Halt | None:
        now = self._engine.store.find_session(self._row.id)
        return find_waited(self._fleet, self._engine.store, now) if now else None

    def _find_open(self) -> InstanceRow | None:
        machine = find_machine(self._fleet, self._row)
        return machine if machine and machine.state.is_open else None


def _consume(session: LiveSession) -> None:
    """Nobody shows it: it is stored."""
    while session.feed.get_at_once():
        pass


def _describe_wait(halt: Halt, now: float) -> str:
    """For how long, what it costs, what comes then, and how it is ended."""
    then = "which is all that its budget and deadline allow" if halt.is_cut else "then another is looked for"
    waiting = f"waiting for it for at most {render_duration(max(0.0, halt.until - now))}, {then}"
    cost = f"meanwhile its disk costs {render_storage(halt.machine)}"
    return f"{waiting}; {cost}; Ctrl-C or `%choline stop` ends it"
