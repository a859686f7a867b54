"""Forwarding: a port of this machine behind which a port of a session's machine answers, as TensorBoard's.

Called by the verb `forward`; lives in the engine's loop until the process ends or `close`. Each connection is a channel of its
own beside the session's, so a page that loads much delays no output. For machines that are not the user's own it listens at
127.0.0.2: cookies are kept by address, not by port, and those of a Jupyter at 127.0.0.1 are no stranger's business.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from choline_jupyter.errors import HostError, RequestError
from choline_jupyter.model.session import SessionRow, Trust
from choline_jupyter.session.bulk import make_beside
from choline_jupyter.session.connection import Connection, Refused
from choline_jupyter.wire.frame import Type

_READ = 1 << 16
_OWN, _STRANGE = "127.0.0.1", "127.0.0.2"


class Forward:
    """Owns a server and the tasks of its connections. `address` is where it listens."""

    def __init__(self, connection: Connection, port: int) -> None:
        self._connection, self._port = connection, port
        self._server: asyncio.Server | None = None
        self.address = ""

    async def open(self, row: SessionRow) -> str:
        """Listen, at the same port if it is free here; returns the URL. Raises RequestError."""
        host = _OWN if row.trust is Trust.OWN else _STRANGE
        for port in (self._port, 0):
            with suppress(OSError):
                self._server = await asyncio.start_server(self._serve, host, port)
                self.address = f"http://{host}:{self._server.sockets[0].getsockname()[1]}"
                return self.address
        raise RequestError(f"This machine cannot listen at {host}.", "On macOS: sudo ifconfig lo0 alias 127.0.0.2")

    async def close(self) -> None:
        """Listen no more."""
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = Connection(make_beside(self._connection))
        try:
            await channel.open()
            channel.tunnel = lambda data: _pass(writer, data)
            await channel.request(Type.TUNNEL, {"port": self._port})
            while data := await reader.read(_READ):
                channel.send(Type.TUNNEL, {}, data)
                await channel.drain()
            channel.send(Type.TUNNEL, {})
            await channel.tunnel_ended.wait()
        except Refused as refusal:
            writer.write(f"HTTP/1.0 502 Bad Gateway\r\nContent-Type: text/plain\r\n\r\n{refusal}\n".encode())
        except (HostError, OSError):
            pass  # whoever asked sees that the connection is cut
        finally:
            with suppress(OSError):
                writer.close()
            await channel.close()


async def _pass(writer: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(OSError):  # a browser that has seen enough
        if data:
            writer.write(data)
            await writer.drain()
        elif writer.can_write_eof():
            writer.write_eof()
