"""The follower of one session: turns chunks of its series into events, has them stored, passes them on.

Made by `session.live`; called by `session.connection` in the engine's loop. Promise: each event is passed on once and
in the order of its series; where the journal has lost some, the next event is preceded by one that says how many.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.session.feed import WINDOW
from choline_jupyter.wire.record import RecordDecoder

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore

Listener = Callable[[Event, int], None]
Credit = Callable[[int, int], None]
_PATIENCE = 1.0


class Follower:
    """`listener(event, bytes to credit)` is called for every event; `store` keeps it, and slows the channel if it must.

    `credit(rank, bytes)` is called here only for records that alone would use up the window.
    """

    def __init__(
        self, session: str, store: EventStore, ends: dict[int, int], listener: Listener, credit: Credit
    ) -> None:
        self.session = session
        self._store, self._listener, self._credit = store, listener, credit
        self._ends = ends
        self._decoders: dict[int, RecordDecoder] = {}
        self._advanced: dict[int, int] = {}

    def find_ends(self) -> dict[int, int]:
        """Where a new channel goes on; what was cut in the middle of a record is thrown away with its decoder."""
        self._decoders.clear()
        self._advanced.clear()
        return dict(self._ends)

    async def take(self, rank: int, epoch: int, chunk: bytes) -> None:
        """Bytes of one rank's series; raises WireError for damaged ones."""
        decoder = self._decoders.get(rank)
        if decoder is None:
            decoder = self._decoders[rank] = RecordDecoder(Series(self.session, epoch, rank))
        for event, record in decoder.feed(chunk):
            await self._pass_on(event, record)
        if decoder.pending > WINDOW // 2:
            self._credit(rank, len(chunk))
            self._advanced[rank] = self._advanced.get(rank, 0) + len(chunk)

    async def _pass_on(self, event: Event, record: bytes) -> None:
        rank = event.series.rank
        size = len(record) - self._advanced.pop(rank, 0)
        expected = self._ends.get(rank, 0) + 1
        if event.seq < expected:
            return
        if event.seq > expected:
            self._tell_gap(event.series, expected, event.seq - 1)
        self._ends[rank] = event.seq
        await self._keep(event, record)
        self._listener(event, size)

    async def _keep(self, event: Event, record: bytes) -> None:
        """Store it; when this disk is full it is shown all the same, and the journal keeps what is not acknowledged."""
        while not self._store.put(event, record) and not self._store.failure:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._store.wait_for_room(), _PATIENCE)

    def _tell_gap(self, series: Series, first: int, last: int) -> None:
        """Make visible what nobody can bring back."""
        self._store.skip(series, first, last)
        content = json.dumps({"reason": "deleted", "count": last - first + 1}).encode()
        self._listener(Event(series, last, Kind.GAP, "", 0, time.time(), content=content), 0)
