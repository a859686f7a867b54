"""A client that says exactly what a test wants said: frames over a real channel, nothing done by itself.

Made by the tests that repeat, leave out or break what an engine would do right.
"""

from __future__ import annotations

import asyncio
from typing import Any

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.transport.channel import Channel, Transport
from choline_jupyter.wire.frame import PROTOCOL, Frame, FrameDecoder, Type, encode_frame
from choline_jupyter.wire.record import RecordDecoder

PATIENCE = 120.0
WINDOW = 8 << 20


class RawClient:
    """One channel; used in one event loop. `events` has what came of the series that are followed."""

    def __init__(self, channel: Channel) -> None:
        self.events: list[Event] = []
        self._channel = channel
        self._decoder = FrameDecoder()
        self._frames: list[Frame] = []
        self._records: dict[int, RecordDecoder] = {}
        self._number = 0

    @classmethod
    async def connect(cls, transport: Transport) -> RawClient:
        """A client that has said hello and been greeted."""
        client = cls(await transport.open())
        client.send(Type.HELLO, {"protocol": PROTOCOL})
        await client.hear(Type.HELLO)
        return client

    def send(self, type: Type, header: dict[str, Any], body: bytes = b"") -> None:
        self._channel.writer.write(encode_frame(type, header, body))

    async def ask(self, type: Type, header: dict[str, Any], body: bytes = b"") -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self._number += 1
        self.send(type, {"id": self._number, **header}, body)
        return (await self.hear(Type.REPLY)).header

    async def open_session(self, session: str, directory: str, python: str, lease: float = 600.0) -> dict[str, Any]:
        """Make a session of kernels and follow it from its beginning."""
        wish = {"session": session, "name": session, "directory": directory, "epoch": 1, "python": python}
        answer = await self.ask(Type.OPEN, {**wish, "lease": lease, "environment": None, "kind": "kernel"})
        await self.ask(Type.FOLLOW, {"session": session, "after": {}, "unread": {}, "window": WINDOW})
        return answer

    def run(self, session: str, job: str, code: str) -> None:
        """Send a job."""
        header = {"session": session, "job": job, "attempt": 1, "msg_id": job, "count": 1, "allow_stdin": True}
        self.send(Type.RUN, {"id": 0, **header}, code.encode())

    async def hear(self, type: Type) -> Frame:
        """The next frame of a type; events are taken on the way, others are thrown away."""
        while True:
            while self._frames:
                frame = self._frames.pop(0)
                if frame.type is Type.EVENTS:
                    self._take(frame)
                if frame.type is type:
                    return frame
            await self._read()

    async def hear_event(self, kind: Kind, job: str = "") -> Event:
        """The first event of a kind, of one job or of any; it may have come already."""
        while True:
            for event in self.events:
                if event.kind is kind and job in ("", event.job):
                    return event
            await self.hear(Type.EVENTS)

    async def hear_end(self) -> None:
        """Return when the agent ends the channel."""
        while await asyncio.wait_for(self._channel.reader.read(1 << 16), PATIENCE):
            pass

    async def close(self) -> str:
        return await self._channel.close()

    async def _read(self) -> None:
        data = await asyncio.wait_for(self._channel.reader.read(1 << 18), PATIENCE)
        if not data:
            raise ConnectionError("the agent has ended the channel")
        self._frames += self._decoder.feed(data)

    def _take(self, frame: Frame) -> None:
        head = frame.header
        series = Series(head["session"], head["epoch"], head["rank"])
        decoder = self._records.setdefault(series.rank, RecordDecoder(series))
        self.events += [event for event, _ in decoder.feed(frame.body)]
        self.send(Type.CREDIT, {"session": series.session, "rank": series.rank, "bytes": len(frame.body)})
