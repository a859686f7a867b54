"""Last words: what a machine that was stopped had put out and not told; heard from its disk when it runs again.

Used by `session.standstill`, before the session begins anew. Promise: lines, files and checkpoints that were complete there come
here; that its processes have ended is not stored and not told, because its jobs go on.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from choline_jupyter.model.event import SUPERVISOR_RANK, Event, Kind
from choline_jupyter.session.follower import Follower

if TYPE_CHECKING:
    from choline_jupyter.session.connection import Connection
    from choline_jupyter.session.live import LiveSession

_PATIENCE = 600.0  # seconds for what is large: the machine costs meanwhile, and so would making it again
_ENDS = ("died", "ended")


class LastWords(Follower):
    """A follower to the end of the session over there; `over` is set when that has come."""

    def __init__(self, session: str, store: Any, ends: dict[int, int], listener: Any, *rest: Any) -> None:
        super().__init__(session, store, ends, self._hear, *rest)
        self.over = asyncio.Event()
        self.refuse = self.over.set
        self._tell = listener

    def _hear(self, event: Event, size: int) -> None:
        state = _find_end(event)
        if state:
            self.consume(event.series.rank, size)
        else:
            self._tell(event, size)
        if state == "ended":
            self.over.set()

    async def _keep(self, event: Event, record: Any) -> None:
        if _find_end(event):
            self._store.skip(event.series, event.seq, event.seq)
        else:
            await super()._keep(event, record)


async def hear_out(session: LiveSession, connection: Connection) -> None:
    """Take what a suspended session's machine still has to say; it is suspended again when this returns."""
    stop = session.stop_recovery or (lambda: None)
    session.stop_recovery = stop
    session.connection = connection
    session.served.use(connection)
    session.checkpoints.use(connection)
    words = session.follow(make=LastWords)
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_take(session, words), _PATIENCE)
    session.suspend(stop)


async def _take(session: LiveSession, words: Follower | None) -> None:
    if isinstance(words, LastWords):
        await words.over.wait()
    await session.finish_fetches()


def _find_end(event: Event) -> str:
    """What the event says has ended; empty for any other."""
    if event.kind is not Kind.STATE or event.series.rank != SUPERVISOR_RANK:
        return ""
    state = str(event.read_content().get("state"))
    return state if state in _ENDS else ""
