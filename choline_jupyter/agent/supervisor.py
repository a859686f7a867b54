"""The supervisor: one per user and machine, detached from every connection, the host of all sessions.

Started by `agent.connect` for the first client, or by a fork server whose supervisor died. Owns one event loop in the
process's only thread, the door (clients), the bell (ranks), the sessions, the fork servers and the upkeep of journals.
It may be killed at any moment: ranks go on and write their journals, and the next supervisor adopts them.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import platform
import signal
import socket
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from choline_jupyter.agent.assembly import Assembly
from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.client import Client, Refused
from choline_jupyter.agent.contents import Contents
from choline_jupyter.agent.delivery import Deliveries
from choline_jupyter.agent.digest import find_digest
from choline_jupyter.agent.door import bind, open_channel
from choline_jupyter.agent.doorbell import find_queue_length
from choline_jupyter.agent.file_hosting import FileHosting
from choline_jupyter.agent.journal import find_last_seq, list_ranks
from choline_jupyter.agent.layout import Layouts, shares_files
from choline_jupyter.agent.notice import Notice
from choline_jupyter.agent.nursery import Nursery, NurseryError
from choline_jupyter.agent.place import Place
from choline_jupyter.agent.preparation import Preparation
from choline_jupyter.agent.rank import Rank
from choline_jupyter.agent.retention import KEEP_SECONDS, Retention
from choline_jupyter.agent.session import HostedSession, read_spec
from choline_jupyter.agent.tool import EnvironmentFault
from choline_jupyter.agent.watch import Watch
from choline_jupyter.model.names import check_identifier
from choline_jupyter.wire.frame import PROTOCOL

STOPPED = "it was stopped"
_UPKEEP, _SWEEP, _LINGER = 5.0, 60.0, 30.0
_GOODBYE = 0.05  # for the answer to leave


class Supervisor:
    """All state of the process; every method runs in its event loop."""

    def __init__(self, place: Place, linger: float) -> None:
        self.place = place
        self.sessions: dict[str, HostedSession] = {}
        self.retention = Retention(place.home / "sessions")
        self.watch = Watch(place.home)
        self._clients: set[Client] = set()
        self._nursery = Nursery(place.home, place.log)
        self.blobs = BlobFolder(place.home / "blobs")
        self.contents = Contents(place.home)
        self.assembly = Assembly(self.blobs, self.contents)
        self.layouts = Layouts(place.home / "workspaces")
        self.deliveries = Deliveries(self.blobs, place.home / "wheels")
        self._preparation = Preparation(self.deliveries, self.layouts)
        self.files = FileHosting(place, self.blobs, lambda: self._clients)
        self._linger = linger
        self._tasks: set[asyncio.Future[None]] = set()
        self._quiet_since = time.monotonic()
        self._swept = time.monotonic()
        self._end = asyncio.Event()
        self._is_purged = False
        self._bell_limit = find_queue_length()

    async def serve(self, python: str, ready: int) -> None:
        """Host sessions until there is nothing left to do; `ready` is closed when clients can connect."""
        if python:
            self._nursery.prepare(python)
        door = bind(str(self.place.door), socket.SOCK_STREAM)
        bell = bind(str(self.place.bell), socket.SOCK_DGRAM)
        loop = asyncio.get_running_loop()
        notice = Notice(self.watch, lambda: list(self.sessions.values()), self._end.set)
        loop.add_signal_handler(signal.SIGTERM, notice.take_signal)
        loop.add_reader(bell, self._hear_bell, bell)
        await self._adopt()
        loop.add_reader(door, self._accept, door)
        if ready >= 0:
            os.close(ready)
        upkeep = asyncio.gather(self._keep_up(), notice.watch())
        await self._end.wait()
        upkeep.cancel()
        self._close()

    async def open(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Find a session or make it; answers with where its series stand."""
        session = self.sessions.get(wish["session"]) or self._make(wish)
        self._extend(session, wish)
        is_new = not session.is_stopping and session.ensure_rank()
        return {
            "new": is_new,
            "epoch": session.spec["epoch"],
            "ranks": self._find_ends(session.id),
            **session.describe(),
        }

    async def stop(self, name: str, reason: str = STOPPED) -> None:
        """End a session and all its processes."""
        session = self.sessions.get(name)
        if session is None:
            raise Refused("no-session", "There is no such session on this machine.")
        await session.stop(reason)
        if self.sessions.pop(name, None):
            session.close()
            self._preparation.forget(session)
            self.files.close(name)
        if reason == STOPPED:
            await asyncio.get_running_loop().run_in_executor(None, self.layouts.remove, name)

    async def purge(self) -> None:
        """End all sessions and this process, and leave nothing of the agent on this machine."""
        for name in list(self.sessions):
            await self.stop(name)
        self._nursery.close()
        await asyncio.get_running_loop().run_in_executor(None, self.place.remove)
        self._is_purged = True
        asyncio.get_running_loop().call_later(_GOODBYE, self._end.set)

    def retire(self) -> bool:
        """End at once instead of after the linger, unless a session is hosted."""
        if not self.sessions:
            asyncio.get_running_loop().call_later(_GOODBYE, self._end.set)
        return not self.sessions

    def find(self, name: str) -> HostedSession:
        """The living session of this id; raises Refused."""
        session = self.sessions.get(name)
        if session is None or session.is_stopping:
            raise Refused("no-session", "There is no such session on this machine.")
        return session

    def check(self, name: str) -> None:
        """Raise Refused unless this machine has something of a session, if only its journal."""
        if name not in self.sessions and not self.place.find_session(name).is_dir():
            raise Refused("no-session", "This machine has nothing of that session.")

    def list_ranks(self, name: str) -> list[int]:
        """The ranks of a session that have a series."""
        return self.sessions[name].list_ranks() if name in self.sessions else list_ranks(self.place.find_session(name))

    def describe(self) -> dict[str, Any]:
        """Who this agent is and what it hosts: the answer to HELLO and STATUS."""
        return {
            "protocol": PROTOCOL,
            "digest": find_digest(),
            "python": platform.python_version(),
            "pid": os.getpid(),
            "notice": self.place.notice,
            "sessions": [
                {**session.describe(), "followers": sum(client.follows(session.id) for client in self._clients)}
                for session in self.sessions.values()
            ],
        }

    def wake(self, session: str, rank: int, hurry: bool) -> None:
        """A series grew: tell whoever follows it."""
        for client in self._clients:
            client.wake(session, rank, hurry)

    def _make(self, wish: dict[str, Any]) -> HostedSession:
        directory = self.place.find_session(check_identifier(wish["session"]))
        if directory.is_dir():
            raise Refused("no-session", "That session has ended.")
        keys = ("session", "name", "kind", "python", "directory", "lease", "command", "epoch", "files", "ranks", "gpus")
        more = ("packages", "are_found", "version", "indexes")
        spec = {key: wish[key] for key in (*keys, *more) if key in wish}
        spec["created"], spec["shares"] = time.time(), shares_files(spec.get("files"))
        self.contents.note_wish(spec.get("files") or {})
        session = HostedSession(self.place, spec, self._launch, self.wake)
        session.environment = wish.get("environment")
        session.save()
        self.sessions[session.id] = session
        return session

    def _extend(self, session: HostedSession, wish: dict[str, Any]) -> None:
        """Packages that a session is asked to have and has not been before; jobs that come behind wait for them."""
        new = [name for name in wish.get("packages", ()) if name not in session.spec.setdefault("packages", [])]
        if new and not session.is_stopping:
            session.spec["packages"] = [*session.spec["packages"], *new]
            session.spec["wanting"] = [*session.spec.get("wanting", ()), *new]
            session.save()
            session.hold()  # before the job that comes right behind
            self._spawn(self._preparation.extend(session, new, bool(wish.get("are_found"))))

    def _launch(self, session: HostedSession, rank: Rank) -> None:
        self._spawn(self._fork(session, rank))

    async def _fork(self, session: HostedSession, rank: Rank) -> None:
        """Have the rank's process made and connect to it; a failure is the rank's death."""
        try:
            await self._preparation.settle(session)
            python = self._preparation.choose_python(session)
            order = {**self._make_order(session, rank), "files": await self.files.start(session, python)}
            rank.pid = await self._nursery.start({**session.spec, "python": python}, order)
        except (NurseryError, EnvironmentFault, OSError) as error:
            rank.fail(str(error))
            return
        if not await rank.connect():
            rank.fail("the kernel's process could not be reached")

    def _make_order(self, session: HostedSession, rank: Rank) -> dict[str, Any]:
        return {
            "session": session.id,
            "rank": rank.number,
            "journal": str(session.directory),
            "socket": str(rank.socket),
            "bell": str(self.place.find_rank_bell(session.id, rank.number)),
            "address": str(self.place.bell),
            "directory": session.spec["directory"],
            "environment": session.environment,
            "gpus": session.spec.get("gpus", ""),
            "layout": session.spec.get("layout"),
            "workspace": str(self.layouts.find(session.id)),
            "blobs": str(self.blobs.folder),
            **session.describe_group(),
            **self._preparation.describe_layer(session),
        }

    async def _adopt(self) -> None:
        """Take over what an earlier supervisor left: living ranks, and sessions whose ranks did not survive."""
        base = self.place.home / "sessions"
        for directory in sorted(base.iterdir()) if base.is_dir() else ():
            spec = read_spec(directory)
            if spec:
                session = HostedSession(self.place, spec, self._launch, self.wake)
                wanting = spec.get("wanting")
                if wanting:
                    session.hold()
                if await session.adopt():
                    self.sessions[session.id] = session
                    if wanting:
                        self._spawn(self._preparation.extend(session, wanting, is_found=True))
                    await self.files.start(session)
                else:
                    session.close()

    def _hear_bell(self, bell: socket.socket) -> None:
        """Ranks' datagrams: `session/rank`, then ` done JOB` or ` input` for what must not wait.

        A rank never waits to ring, so what does not fit the queue is lost: when it was full, look everywhere.
        """
        heard = 0
        while True:
            try:
                text = bell.recv(4096).decode()
            except (BlockingIOError, UnicodeDecodeError):
                break
            heard += 1
            self._hear(text)
        if heard >= self._bell_limit:
            self._look_everywhere()

    def _hear(self, text: str) -> None:
        name, _, notice = text.partition(" ")
        session, _, rank = name.partition("/")
        self.wake(session, int(rank), bool(notice))
        over = self.sessions[session].hear(int(rank), notice) if notice and session in self.sessions else ""
        if over:
            self._finish(self.sessions[session], over)

    def _look_everywhere(self) -> None:
        for client in self._clients:
            client.wake_all()
        for session in self.sessions.values():
            session.ask()

    def _finish(self, session: HostedSession, job: str) -> None:
        """A job is over; the session of a script has no other."""
        session.finish(job)
        self.files.forget(session.id)
        self._nursery.note_job()
        if session.spec.get("kind") == "script":
            self._spawn(self.stop(session.id))

    def _accept(self, door: socket.socket) -> None:
        connector, _ = door.accept()
        connector.setblocking(False)
        self._spawn(self._take(connector))

    async def _take(self, connector: socket.socket) -> None:
        """Serve the channel that a connector hands over; the connector ends when its socket does."""
        try:
            reader, writer = await open_channel(connector)
        except OSError:
            connector.close()
            return
        client = Client(self, reader, writer)
        self._clients.add(client)
        try:
            await client.serve()
        finally:
            self._clients.discard(client)
            connector.close()

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(min(_UPKEEP, self._linger))
            for client in [client for client in self._clients if client.is_silent()]:
                client.close()
            with suppress(OSError):  # a full disk: the next round tries again
                await self._end_leases()
                await asyncio.get_running_loop().run_in_executor(None, self._care_for_journals)
            self._end_if_quiet()

    async def _end_leases(self) -> None:
        """End what nobody has used for its lease: idle, and without a client that follows it. On a rented machine, all."""
        is_busy = any(not session.is_idle for session in self.sessions.values())
        self.watch.note(is_busy, self.watch.is_armed and self.retention.has_waiting(list(self.sessions)))
        reason = self.watch.find_reason()
        for name in list(self.sessions) if reason else ():
            await self.stop(name, reason)
        for session in list(self.sessions.values()):
            if session.is_spent:
                await self.stop(session.id)
            elif not session.is_idle or any(client.follows(session.id) for client in self._clients):
                session.quiet_since = time.monotonic()
            elif time.monotonic() - session.quiet_since > float(session.spec["lease"]):
                await self.stop(session.id, "its lease ran out")

    def _care_for_journals(self) -> None:
        """In an executor: flush what power loss could take, delete what may go."""
        self.retention.flush(set(self.sessions))
        if time.monotonic() - self._swept > _SWEEP:
            self._swept = time.monotonic()
            self.retention.sweep(set(self.sessions))
            self.layouts.sweep(set(self.sessions))
            self.blobs.sweep(KEEP_SECONDS)
            self.contents.sweep()

    def _end_if_quiet(self) -> None:
        if self.sessions or self._clients:
            self._quiet_since = time.monotonic()
        elif time.monotonic() - self._quiet_since > self._linger:
            self._end.set()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run something beside the rest; the loop itself holds no more than a weak reference to it."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _find_ends(self, name: str) -> dict[str, int]:
        directory = self.place.find_session(name)
        return {str(rank): find_last_seq(directory, rank) for rank in self.list_ranks(name)}

    def _close(self) -> None:
        with suppress(OSError):  # a full disk
            if not self._is_purged:
                self.retention.sweep(set(self.sessions))
        for client in list(self._clients):
            client.close()
        for session in self.sessions.values():
            session.close()
        self.files.close_all()
        self._nursery.close()
        for path in (self.place.door, self.place.bell):
            path.unlink(missing_ok=True)


def run(place: Place, python: str, linger: float, ready: int = -1) -> None:
    """Be the supervisor of this place, unless there is one already."""
    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    asyncio.run(_serve(place, python, linger, ready))


async def _serve(place: Place, python: str, linger: float, ready: int) -> None:
    await Supervisor(place, linger).serve(python, ready)


def main(arguments: list[str]) -> None:
    """`supervise [--home DIR] [--python FILE] [--linger SECONDS]`."""
    options = parse(arguments)
    run(Place(options.home), options.python, options.linger)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options that the supervisor and the connector share."""
    parser = argparse.ArgumentParser(prog="choline agent", description=__doc__)
    parser.add_argument("--home", default="")
    parser.add_argument("--python", default="")
    parser.add_argument("--linger", type=float, default=_LINGER)
    return parser.parse_args(arguments)
