"""A transport whose channels can be listened to, cut and damaged: real ones, with a hand on the bytes.

Made by conftest.py around the transport of the local provider.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from choline_jupyter.transport.channel import Channel, Transport
from choline_jupyter.wire.frame import Frame, FrameDecoder

Damage = Callable[[bytes], bytes]


class TappedTransport(Transport):
    """Notes every frame in `log`, as ("sent" | "received", frame), in the order of this side.

    `damage`, if set, is given what is received and says what arrives instead. Everything but `cut` belongs to the
    engine's loop.
    """

    def __init__(self, inner: Transport) -> None:
        self.log: list[tuple[str, Frame]] = []
        self.damage: Damage | None = None
        self.opened = 0
        self._inner = inner
        self._channel: Channel | None = None

    async def open(self) -> Channel:
        channel = await self._inner.open()
        self.opened += 1
        reader = _Reader(self, channel.reader)
        writer = _Writer(self, channel.writer, reader)
        self._channel = Channel(reader, writer, channel.end)
        return self._channel

    def cut(self) -> None:
        """Break the channel that is open now, whatever is on its way."""
        if self._channel:
            with suppress(OSError):  # it is broken already
                self._channel.writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def list_types(self, direction: str) -> list[str]:
        """The names of the frames that went this way."""
        return [frame.type.name for way, frame in self.log if way == direction]


class _Reader(asyncio.StreamReader):
    """Passes on what another reader has, after a look at it."""

    def __init__(self, tap: TappedTransport, inner: asyncio.StreamReader) -> None:
        super().__init__()
        self._tap, self._inner = tap, inner
        self._decoder = FrameDecoder()

    async def read(self, n: int = -1) -> bytes:
        data = await self._inner.read(n)
        self._tap.log += [("received", frame) for frame in self._decoder.feed(data)]
        return self._tap.damage(data) if self._tap.damage else data


class _Writer(asyncio.StreamWriter):
    """Writes where another writer writes, after a look at it."""

    def __init__(self, tap: TappedTransport, inner: asyncio.StreamWriter, reader: _Reader) -> None:
        protocol = inner.transport.get_protocol()
        assert isinstance(protocol, asyncio.StreamReaderProtocol)
        super().__init__(inner.transport, protocol, reader, asyncio.get_running_loop())
        self._tap, self._inner = tap, inner  # its end would close the channel
        self._decoder = FrameDecoder()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._tap.log += [("sent", frame) for frame in self._decoder.feed(data)]
        super().write(data)
