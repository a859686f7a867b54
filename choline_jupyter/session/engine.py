"""The engine: all connections, sessions and the event store of one process, on one event loop in one thread.

Called by `magic`, `cli`, the keeper and `server`; the async methods are the implementation, `session.bridge` is how
other threads call them. Promise: importing this starts nothing; the first use starts what it needs.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.errors import CholineError, HostError, RequestError, UnknownSession
from choline_jupyter.ledger.event_batch import REFUSED
from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.ledger.file_lock import FileLock
from choline_jupyter.ledger.location import find_data_directory
from choline_jupyter.model.index_settings import read_settings, select_portable
from choline_jupyter.model.names import make_identifier
from choline_jupyter.model.session import SessionRow, SessionState
from choline_jupyter.providers.config import ConfigError
from choline_jupyter.providers.provider import ANY, FREE, Access, Contact, Provider
from choline_jupyter.providers.registry import list_names, load_provider
from choline_jupyter.session.connection import PING, Connection
from choline_jupyter.session.forward import Forward
from choline_jupyter.session.hardware import Hardware, read_hardware
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.prompts import Prompts
from choline_jupyter.session.recovery import Recovery
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.limits import Limits
from choline_jupyter.session.rent.tenancy import Allows, Greet, Tenancy
from choline_jupyter.session.sent_jobs import SentJobs
from choline_jupyter.session.spec import SessionSpec, copy_environment
from choline_jupyter.transport.askpass import Unanswered
from choline_jupyter.transport.channel import Transport
from choline_jupyter.wire.frame import Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choline_jupyter.model.event import Series
    from choline_jupyter.model.instance import InstanceRow

_PATIENCE = 10.0


class Engine:
    """Everything in it belongs to `loop`, but the store, which any thread may call.

    `ping` is half of the time, in seconds, after which a silent connection is given up.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, directory: Path | None = None, ping: float = PING) -> None:
        found = find_data_directory()
        self.directory = directory or found.path
        self.notice = "" if directory else found.notice
        self.store = EventStore(self.directory, self._note_stored)
        self.sessions: dict[str, LiveSession] = {}
        self._loop, self._ping = loop, ping
        self.prompts = Prompts()
        self.tenancy = Tenancy(Fleet(self.directory), self.store, self._agree)
        self.recovery = Recovery(self)
        self.tenancy.on_loss = self.recovery.recover_machine
        self._connections: dict[tuple[str, str], Connection] = {}
        self._forwards: dict[tuple[str, int], Forward] = {}
        self._connecting: dict[tuple[str, str], asyncio.Lock] = {}

    async def open(self, spec: SessionSpec, is_new: bool = False) -> LiveSession:
        """The session asked for, found or made; the agent's answer is not waited for. Raises CholineError.

        With `is_new` a machine is rented even where one that would do is there.
        """
        access = Access(True, self.prompts.ask, spec.accept_key, spec.client)
        if spec.rent:
            found = None if is_new else await self.tenancy.find(spec)
            row = found or (await self.rent([spec], [make_identifier("s")]))[0]
            connection = await self._connect(row.provider, row.machine, access)
            await self.tenancy.start_meter(row.machine, connection)
        else:
            connection = await self._connect(spec.provider, spec.machine, access)
            row = await self._loop.run_in_executor(None, self._claim, spec)
        session = self.sessions.get(row.id)
        if session is None:
            spec = SentJobs(self.directory, row.id).inherit_policy(spec)
            session = self.sessions[row.id] = self._make_session(row, _complete(spec, row), connection)
            session.open()
        elif session.spec is None:  # so far it was only watched
            session.spec = _complete(dataclasses.replace(spec, packages=()), row)
        elif spec.rent and spec.rent.on_loss and session.spec.rent:
            rent = dataclasses.replace(session.spec.rent, on_loss=spec.rent.on_loss, wait=spec.rent.wait)
            session.spec = dataclasses.replace(session.spec, rent=rent)
            await self._loop.run_in_executor(None, session.sent.keep_spec, session.spec)
        return session

    async def join(self, row: SessionRow, follow: bool = True) -> LiveSession:
        """A session that exists, to watch or steer it; never makes one. Raises CholineError."""
        session = self.sessions.get(row.id)
        if session is None:
            session = self._make_session(row, None, await self.reach(row))
            self.sessions[row.id] = session
        if follow:
            session.follow()
        return session

    async def follow(self, session: LiveSession, seen: dict[Series, int]) -> None:
        """Have a joined session's events delivered behind those that were seen."""
        session.follow(seen)

    async def stop(self, row: SessionRow) -> bool:
        """End a session and note it; returns when its processes are gone, and whether its rented machine is, too."""
        if _is_rented(row.provider):
            return await self._release(row)
        session = await self.join(row, follow=False)
        await session.stop()
        self.close_row(row)
        return True

    def close_row(self, row: SessionRow) -> None:
        """Note that a session is over."""
        self.sessions.pop(row.id, None)
        SentJobs(self.directory, row.id).remove()
        self.store.save_session(SessionRow(**{**vars(row), "state": SessionState.STOPPED}))

    async def limit(self, session: LiveSession, limits: Limits) -> None:
        """Have a rented session's machine live by other limits from now on. Raises CholineError."""
        await self.tenancy.limit(session.row.machine, limits, session.connection)

    async def extend(self, row: SessionRow) -> None:
        """Have a session's lease begin anew, its rented machine's as well. Raises CholineError."""
        connection = await self._connect(row.provider, row.machine, Access(False, self.prompts.ask))
        if _is_rented(row.provider):
            await self.tenancy.extend(row.machine, connection)
        else:
            await connection.request(Type.LIMIT, {"session": row.id, "touch": True})

    async def forward(self, row: SessionRow, port: int) -> str:
        """Have a port of a session's machine answer here; returns the URL. Raises CholineError."""
        forward = self._forwards.setdefault((row.id, port), Forward(await self._reach(row), port))
        return forward.address or await forward.open(row)

    async def describe(self, provider: str, machine: str, start: bool = False) -> dict[str, Any] | None:
        """What the agent of a machine says of itself; None when there is none and `start` does not allow one."""
        with suppress(HostError, RequestError):  # the latter of a machine that has no address yet
            connection = await self._connect(provider, machine, Access(start))
            return await connection.request(Type.STATUS, {})
        return None

    async def probe(self, provider: str, machine: str, access: Access = ANY) -> Hardware:
        """What a machine has; an agent is started there if none runs. Raises HostError, RequestError."""
        connection = await self._connect(provider, machine, dataclasses.replace(access, ask=self.prompts.ask))
        asked = time.time()
        told = await connection.request(Type.PROBE, {})
        return read_hardware(told["machine"], (asked + time.time()) / 2)

    async def purge(self, provider: str, machine: str, access: Access = ANY) -> None:
        """End everything of ours on a machine and remove all that is kept there. Raises HostError, RequestError."""
        connection = await self._connect(provider, machine, dataclasses.replace(access, ask=self.prompts.ask))
        await connection.request(Type.STOP, {"purge": True})
        self._connections.pop((provider, machine), None)
        await connection.close()
        for row in self.store.list_sessions():
            if row.state.is_open and (row.provider, row.machine) == (provider, machine):
                self.close_row(row)

    async def retire(self, provider: str, machine: str) -> None:
        """Have the agent of a machine end, if one runs there and hosts nothing any more."""
        with suppress(HostError, RequestError):
            connection = await self._connect(provider, machine, Access(start=False))
            await connection.request(Type.STOP, {})
            self._connections.pop((provider, machine), None)
            await connection.close()

    async def close(self) -> None:
        """Let go of every channel; sessions and jobs go on."""
        self.tenancy.close()
        for session in self.sessions.values():
            await session.let_go()
        for forward in self._forwards.values():
            await forward.close()
        for connection in self._connections.values():
            await connection.close()

    async def rent(
        self, specs: Sequence[SessionSpec], sessions: Sequence[str], epoch: int = 1, allows: Allows = lambda one: True
    ) -> list[SessionRow]:
        """Rented machines for sessions, as the tenancy has them; they are connected to. Raises CholineError."""
        return await self.tenancy.rent(specs, self._make_greet(specs[0]), sessions, epoch, allows)

    async def regain(self, machine: InstanceRow, spec: SessionSpec) -> None:
        """Connect to a rented machine that was stopped and runs again. Raises CholineError, ProviderFailure."""
        await self.tenancy.greet(machine, self._make_greet(spec))

    async def settle(self, row: SessionRow, spec: SessionSpec, session: LiveSession | None) -> LiveSession:
        """Open a session on a machine that it has not been on before: one that is followed here, or one from the store."""
        connection = await self._connect(
            row.provider, row.machine, Access(True, self.prompts.ask, spec.accept_key, spec.client)
        )
        await self.tenancy.start_meter(row.machine, connection)
        if session is None:
            session = self._make_session(row, _complete(spec, row), connection)
        else:
            session.go_on(row, connection)
            session.spec = _complete(dataclasses.replace(spec, packages=tuple(session.packages)), row)
        self.sessions[row.id] = session
        session.open()
        return session

    async def reach(self, row: SessionRow) -> Connection:
        """The way to a session's machine. Raises CholineError."""
        connection = await self._reach(row)
        if _is_rented(row.provider):
            await self.tenancy.start_meter(row.machine, connection, is_act=False)
        return connection

    def is_reached(self, row: SessionRow) -> bool:
        """Whether the way to a session's machine stands."""
        connection = self._connections.get((row.provider, row.machine))
        return connection is not None and connection.is_connected

    async def drop(self, row: SessionRow) -> None:
        """Let go of the way to a session's machine, for good."""
        connection = self._connections.pop((row.provider, row.machine), None)
        if connection:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(connection.close(), _PATIENCE)

    async def _release(self, row: SessionRow) -> bool:
        """End what runs on a rented machine, if it can be reached, and then the machine, whatever the former did."""
        with suppress(CholineError, asyncio.TimeoutError):
            session = await asyncio.wait_for(self.join(row, follow=False), _PATIENCE)
            await asyncio.wait_for(session.stop(), _PATIENCE)
        self.close_row(row)  # before its machine is gone: nobody is to think that it was lost
        await self.tenancy.fleet.run(self.store.flush)
        try:
            is_gone = await self.tenancy.release(row.machine)
        except CholineError:
            self.store.save_session(row)
            raise
        await self.drop(row)
        return is_gone

    def _make_greet(self, spec: SessionSpec) -> Greet:
        """Connects to a machine for the first time since it was started."""
        access = Access(True, self.prompts.ask, spec.accept_key, spec.client)

        async def greet(contact: Contact) -> None:
            connection = Connection(_load(find_provider(contact)).connect(contact, access), self._ping)
            await connection.open()
            try:
                await connection.request(Type.STATUS, {})
            except BaseException:
                await connection.close()
                raise
            self._connections[find_provider(contact), contact.machine] = connection

        def find_provider(contact: Contact) -> str:
            return next(one.provider for one in self.tenancy.fleet.list_open() if one.label == contact.machine)

        return greet

    def _make_session(self, row: SessionRow, spec: SessionSpec | None, connection: Connection) -> LiveSession:
        session = LiveSession(row, spec, connection, self.store)
        if _is_rented(row.provider):
            session.past.find_epoch = lambda: self.tenancy.fleet.ledger.find_epoch(row.id)
        return session

    def find_row(self, name: str) -> SessionRow:
        """An open session by its name, id or machine; raises UnknownSession."""
        for row in self.store.list_sessions():
            if row.state.is_open and name in (row.name, row.id, row.machine):
                return row
        raise UnknownSession(f"There is no open session {name!r}.", "`choline status` lists them.")

    def _claim(self, spec: SessionSpec) -> SessionRow:
        """Find or note the session; a file lock keeps two notebooks from making one each."""
        lock = FileLock(self.directory / "sessions.lock")
        try:
            lock.seize(_PATIENCE)
            for row in self.store.list_sessions():
                if spec.matches(row):
                    return row
            row = SessionRow(
                make_identifier("s"), spec.name, spec.provider, spec.machine, spec.directory, 1,
                SessionState.READY, time.time(), spec.trust,
            )  # fmt: skip
            self.store.save_session(row)
            self.store.flush()
            return row
        finally:
            lock.close()

    async def _reach(self, row: SessionRow) -> Connection:
        return await self._connect(row.provider, row.machine, Access(ask=self.prompts.ask))

    async def _connect(self, provider: str, machine: str, access: Access) -> Connection:
        """The one connection to a machine; made without leave to start an agent, it gets that when somebody has it."""
        async with self._connecting.setdefault((provider, machine), asyncio.Lock()):
            connection = self._connections.get((provider, machine))
            if connection and access.start:
                connection.use(self._find_way(provider, machine, access))
            elif connection is None:
                connection = Connection(self._find_way(provider, machine, access), self._ping)
                await connection.open()
                self._connections[provider, machine] = connection
            return connection

    def _find_way(self, provider: str, machine: str, access: Access) -> Transport:
        try:
            contact = self.tenancy.find_contact(machine) if _is_rented(provider) else Contact(machine)
            return _load(provider).connect(contact, access)
        except ConfigError as error:
            raise RequestError(str(error), "Mend it and run the cell again.") from None

    async def _agree(self, question: str) -> bool:
        """Ask the user about money; nobody there is a no."""
        try:
            return (await self.prompts.ask(question, False)).strip().lower() in ("y", "yes")
        except Unanswered:
            return False

    def _note_stored(self, series: Series, seq: int) -> None:
        """In the store's thread: what is stored is acknowledged, and only that."""
        with suppress(RuntimeError):  # the loop has ended: the next process acknowledges
            self._loop.call_soon_threadsafe(self._acknowledge, series, seq)

    def _acknowledge(self, series: Series, seq: int) -> None:
        session = self.sessions.get(series.session)
        if session and seq == REFUSED:
            session.past.note(session.row)
        elif session and session.row.epoch == series.epoch:
            session.connection.send(Type.ACK, {"session": series.session, "rank": series.rank, "seq": seq})


def _complete(spec: SessionSpec, row: SessionRow) -> SessionSpec:
    """What the provider adds: the interpreter, and on this machine the environment of whoever asks."""
    provider = _load(row.provider)
    python = provider.find_python(row.machine)
    if provider.is_this_machine:
        return dataclasses.replace(spec, python=python, environment=copy_environment(), packages=())
    version = spec.version or "%d.%d" % sys.version_info[:2]
    return dataclasses.replace(spec, python=python, version=version, indexes=select_portable(read_settings(os.environ)))


def _load(name: str) -> Provider:
    try:
        return load_provider(name)
    except KeyError:
        names = ", ".join(list_names())
        raise RequestError(f"There is no provider {name!r}.", f"Installed are: {names}.") from None


def _is_rented(provider: str) -> bool:
    return FREE not in _load(provider).capabilities
