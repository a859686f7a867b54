"""The keeper: one process per user that follows detached jobs when no notebook does, and is gone when none is open.

Started by the first `--detach` (`start_keeper`), elected by a file lock; nobody needs to start or know it. Promise: the
events of a detached job arrive in the event store while notebooks are closed, and a job's end is noted.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress

from choline_jupyter.errors import CholineError
from choline_jupyter.ledger.file_lock import FileLock
from choline_jupyter.ledger.location import find_data_directory
from choline_jupyter.model.job import JobRow
from choline_jupyter.session.engine import Engine

_ROUND = 2.0
_LOCK = "keeper.lock"


def start_keeper() -> None:
    """Start it in the background; one that finds another at work ends at once."""
    subprocess.Popen(
        [sys.executable, "-m", "choline_jupyter.session.keeper"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def find_keeper() -> int:
    """The pid of the keeper, 0 when there is none."""
    path = find_data_directory().path / _LOCK
    lock = FileLock(path)
    try:
        if lock.seize(0):
            return 0
        return int(path.read_text() or 0)
    except (OSError, ValueError):
        return 0
    finally:
        lock.close()


class Keeper:
    """Owns the process's event loop; follows every session that has an open detached job."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._followed: set[str] = set()

    async def serve(self) -> None:
        """Follow until no detached job is open."""
        while jobs := self._list_open():
            for session in {job.session for job in jobs} - self._followed:
                await self._follow(session)
            await asyncio.sleep(_ROUND)
        await self._engine.close()
        self._engine.store.close()

    def _list_open(self) -> list[JobRow]:
        return [job for job in self._engine.store.list_jobs(limit=10_000) if job.detached and job.state.is_open]

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
    path = find_data_directory().path / _LOCK
    lock = FileLock(path)
    if lock.seize(0):
        path.write_text(str(os.getpid()))
        asyncio.run(_serve())
    lock.close()


if __name__ == "__main__":
    main()
