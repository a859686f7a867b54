"""The follower of one session: turns chunks of its series into events, has them stored, passes them on.

Made by `session.live`; called by `session.connection` in the engine's loop. Promise: each event is passed on once and
in the order of its series, a kernel's death behind all that the kernel has put out; where the journal has lost some,
the next event is preceded by one that says how many.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from choline_jupyter.model.event import SUPERVISOR_RANK, Event, Kind, Series
from choline_jupyter.session.feed import WINDOW
from choline_jupyter.wire.mask import Mask
from choline_jupyter.wire.record import Buffer, RecordDecoder, WireError, decode_record, encode_record

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
        self,
        session: str,
        store: EventStore,
        ends: dict[int, int],
        listener: Listener,
        credit: Credit,
        refuse: Callable[[], None] = lambda: None,
        want: Callable[[list[dict[str, Any]]], None] = lambda wants: None,
        mask: Mask | None = None,
        epoch: int = 1,
    ) -> None:
        self.session, self.refuse, self.want, self.epoch = session, refuse, want, epoch
        self._store, self._listener, self._credit = store, listener, credit
        self._ends = ends
        self._mask = mask or Mask()
        self._decoders: dict[int, RecordDecoder] = {}
        self._advanced: dict[int, int] = {}
        self._held: deque[tuple[Event, int]] = deque()
        self._unread: dict[int, int] = {}  # by rank, bytes that were passed on and not consumed
        self._damaged: dict[int, int] = {}  # by rank, the seq whose record came damaged last

    def find_ends(self) -> dict[int, int]:
        """Where a new channel goes on; what was cut in the middle of a record is thrown away with its decoder."""
        self._decoders.clear()
        self._advanced.clear()
        return dict(self._ends)

    def find_unread(self) -> dict[int, int]:
        """By rank, how much of a new channel's window is used up by what came before."""
        return dict(self._unread)

    def consume(self, rank: int, count: int) -> None:
        """So many bytes of what was passed on have been taken by whoever shows."""
        self._unread[rank] = self._unread.get(rank, 0) - count
        self._credit(rank, count)

    async def take(self, rank: int, epoch: int, chunk: bytes) -> None:
        """Bytes of one rank's series; raises WireError for damaged ones. Another epoch's are not this follower's."""
        if epoch != self.epoch:
            return
        decoder = self._decoders.get(rank)
        if decoder is None:
            decoder = self._decoders[rank] = RecordDecoder(Series(self.session, epoch, rank), self._decode)
        for event, record in decoder.feed(chunk):
            await self._pass_on(event, record)
        if decoder.pending > WINDOW // 2:
            self._credit(rank, len(chunk))
            self._advanced[rank] = self._advanced.get(rank, 0) + len(chunk)

    def _decode(self, series: Series, record: Buffer) -> Event:
        """The event; for a record that came damaged twice one that says so, in its place."""
        rank, expected = series.rank, self._ends.get(series.rank, 0) + 1
        try:
            event = decode_record(series, record)
        except WireError:
            if self._damaged.get(rank) != expected:
                self._damaged[rank] = expected
                raise
            return _make_gap(series, expected, "damaged", 1)
        self._damaged.pop(rank, None)
        return event

    async def _pass_on(self, event: Event, record: Buffer) -> None:
        rank = event.series.rank
        size = len(record) - self._advanced.pop(rank, 0)
        expected = self._ends.get(rank, 0) + 1
        if event.seq < expected:
            self._credit(rank, size)
            return
        if event.seq > expected:
            self._tell_gap(event.series, expected, event.seq - 1)
        self._ends[rank] = event.seq
        self._unread[rank] = self._unread.get(rank, 0) + size
        event, record = self._hide(event, record)
        await self._keep(event, record)
        if rank == SUPERVISOR_RANK:
            self._held.append((event, size))
        else:
            self._listener(event, size)
        self._release()

    def _hide(self, event: Event, record: Buffer) -> tuple[Event, Buffer]:
        """The event without the values of secrets, which its machine should have hidden already."""
        if self._mask.is_empty or event.kind is Kind.ARTIFACT:
            return event, record
        metadata, content = self._mask.hide_in_json(event.metadata), self._mask.hide_in_json(event.content)
        if metadata is event.metadata and content is event.content:
            return event, record
        hidden = replace(event, metadata=bytes(metadata), content=bytes(content))
        parts = [event.header, event.parent, metadata, content, *event.buffers]
        return hidden, b"".join(encode_record(event.seq, event.kind, event.job, event.attempt, event.at, parts))

    def _release(self) -> None:
        """The supervisor's events, each behind what it speaks of: a kernel's death behind the last words of the kernel."""
        while self._held and self._is_due(self._held[0][0]):
            self._listener(*self._held.popleft())

    def _is_due(self, event: Event) -> bool:
        fact = event.read_content() if event.kind is Kind.STATE else {}
        ends = fact.get("ends") or {fact.get("rank", SUPERVISOR_RANK): fact.get("last", 0)}
        return all(self._ends.get(int(rank), 0) >= last for rank, last in ends.items())

    async def _keep(self, event: Event, record: Buffer) -> None:
        """Store it; when this disk is full it is shown all the same, and the journal keeps what is not acknowledged."""
        if self._damaged.get(event.series.rank) == event.seq:
            self._store.skip(event.series, event.seq, event.seq)
            return
        while not self._store.put(event, record) and not self._store.failure:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._store.wait_for_room(), _PATIENCE)

    def _tell_gap(self, series: Series, first: int, last: int) -> None:
        """Make visible what nobody can bring back."""
        self._store.skip(series, first, last)
        self._listener(_make_gap(series, last, "deleted", last - first + 1), 0)


def _make_gap(series: Series, seq: int, reason: str, count: int) -> Event:
    content = json.dumps({"reason": reason, "count": count}).encode()
    return Event(series, seq, Kind.GAP, "", 0, time.time(), content=content)
