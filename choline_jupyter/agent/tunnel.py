"""One TCP connection to a port of this machine, carried over a client's channel.

Made by `agent.client` when a channel's TUNNEL names a port; a channel carries one. Runs in the supervisor's event loop and
owns one task, which reads what the port answers. Only this machine itself is connected to, whatever a client asks for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Callable

_READ = 1 << 16
Send = Callable[[bytes], Awaitable[None]]


class Tunnel:
    """`send` passes bytes to the client, none at the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, send: Send) -> None:
        self._reader, self._writer, self._send = reader, writer, send
        self._task = asyncio.ensure_future(self._pump())

    async def write(self, data: bytes) -> None:
        """Bytes from the client; none: it has no more."""
        try:
            if data:
                self._writer.write(data)
                await self._writer.drain()
            elif self._writer.can_write_eof():
                self._writer.write_eof()
        except OSError:
            pass  # the port has hung up: what it has said before that is on its way

    def close(self) -> None:
        self._task.cancel()
        self._writer.close()

    async def _pump(self) -> None:
        try:
            while True:
                data = await self._reader.read(_READ)
                await self._send(data)
                if not data:
                    return
        except OSError:
            await self._send(b"")


async def open_tunnel(port: int, send: Send) -> Tunnel:
    """Connect to a port; raises OSError when nothing listens there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    return Tunnel(reader, writer, send)
