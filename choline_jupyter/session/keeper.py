"""The keeper: one process per user that follows jobs and watches over rented machines when no notebook does.

Started by the first `--detach` or rent and by the Jupyter server for jobs that last (`session.keeping`), elected by a
file lock, gone when nothing is open; nobody needs to start or know it. Promises: the events of a job arrive in the event
store while its notebook is closed or its kernel dead, and a job's end is noted; a rented machine is ended when its time is
over, also if it does not do so by itself, and behind a script that nobody waits for; a job whose machine was lost goes on on
another one.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from choline_jupyter.errors import CholineError
from choline_jupyter.ledger.file_lock import FileLock
from choline_jupyter.ledger.location import find_data_directory
from choline_jupyter.model.session import SessionState
from choline_jupyter.session.departures import Departures
from choline_jupyter.session.engine import Engine
from choline_jupyter.session.keeping import LOCK
from choline_jupyter.session.orphans import find_orphans
from choline_jupyter.session.rent.caretaker import Caretaker

_ROUND = 2.0
_GOODBYE = 3600.0  # seconds that a store may take for what is left
_PATIENCE = 10.0
_GRACE = 30.0  # seconds that a notebook has for having its own session go on


class Keeper:
    """Owns the process's event loop; follows sessions whose open jobs are detached or nobody else's; cares for machines."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._followed: set[str] = set()
        self._caretaker = Caretaker(engine.tenancy.fleet, engine.store)
        self._departures = Departures(engine)
        self._lost: dict[str, float] = {}  # sessions whose machine is lost, since when that is known here
        self._recoveries: dict[str, asyncio.Task[bool]] = {}
        self.grace = _GRACE

    async def serve(self) -> None:
        """Go on until no job and no rented machine is open."""
        while (jobs := self._engine.store.changes.list_open_jobs()) or await self._caretaker.is_needed():
            await self._caretaker.care()
            await self._recover()
            detached = {job.session for job in jobs if job.detached}
            others = {job.session for job in jobs} - detached - self._followed
            for session in (detached - self._followed) | await self._find_orphans(others):
                await self._follow(session)
            await self._departures.look(self._followed)
            self._caretaker.doubt(await self._list_silent({job.session for job in jobs}))
            await asyncio.sleep(_ROUND)
        await self._finish()
        await self._engine.close()
        self._engine.store.close()

    async def _finish(self) -> None:
        """What is on its way comes home, and from here to the user's store."""
        for session in list(self._engine.sessions.values()):
            await session.finish_fetches()
            uploads = session.checkpoints.uploads
            await asyncio.get_running_loop().run_in_executor(None, uploads.wait, _GOODBYE)

    async def _recover(self) -> None:
        """Have lost sessions go on; one that a notebook shows is the notebook's own to recover, unless it does not."""
        rows = await self._engine.tenancy.fleet.run(self._engine.store.list_sessions)
        lost = {row.id: row for row in rows if row.state is SessionState.LOST}
        now = asyncio.get_running_loop().time()
        self._lost = {name: self._lost.get(name, now) for name in lost}
        self._recoveries = {name: task for name, task in self._recoveries.items() if not task.done()}
        for name, since in self._lost.items():
            if now - since >= self.grace and name not in self._recoveries:
                recovery = self._engine.recovery.recover(lost[name], waits=False)
                self._recoveries[name] = asyncio.ensure_future(self._watch(recovery, name))

    async def _watch(self, recovery: Coroutine[Any, Any, bool], name: str) -> bool:
        """What comes of the session from then on is taken here."""
        is_going_on = await recovery
        session = self._engine.sessions.get(name)
        if session:
            self._followed.add(name)
            session.feed.on_arrival = lambda: _consume(session)
            _consume(session)
        return is_going_on

    async def _find_orphans(self, sessions: set[str]) -> set[str]:
        rows = [row for row in self._engine.store.list_sessions() if row.id in sessions]
        try:  # a machine that was reached once and is gone now does not answer, and does not refuse either
            return await asyncio.wait_for(find_orphans(self._engine, rows), _PATIENCE)
        except asyncio.TimeoutError:
            return set()

    async def _list_silent(self, sessions: set[str]) -> set[str]:
        """The providers of sessions whose machines cannot be reached from here."""
        rows = await self._engine.tenancy.fleet.run(self._engine.store.list_sessions)
        return {row.provider for row in rows if row.id in sessions and not self._engine.is_reached(row)}

    async def _follow(self, name: str) -> None:
        """A session that cannot be reached now is tried again in the next round."""
        with suppress(CholineError):
            row = next(row for row in self._engine.store.list_sessions() if row.id == name)
            session = await self._engine.join(row)
            session.feed.on_arrival = lambda: _consume(session)
            self._followed.add(name)


def _consume(session: object) -> None:
    """Nothing is shown here: events are stored by the follower, and taking them out of the feed credits them."""
    from choline_jupyter.session.live import LiveSession

    assert isinstance(session, LiveSession)
    while session.feed.get_at_once():
        pass


async def _serve() -> None:
    engine = Engine(asyncio.get_running_loop())
    server = asyncio.ensure_future(Keeper(engine).serve())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.cancel)
    with suppress(asyncio.CancelledError):
        await server


def main() -> None:
    """Be the keeper unless there is one; look once more after letting go, for a job that came in between."""
    path = find_data_directory().path / LOCK
    lock = FileLock(path)
    if lock.seize(0):
        path.write_text(str(os.getpid()))
        asyncio.run(_serve())
    lock.close()


if __name__ == "__main__":
    main()
