"""A TCP connection by a detour that needs no rights: it can be cut, reset, or made to hang in one or both directions.

with Proxy("127.0.0.1", server.port) as proxy:
    ...                # connect to 127.0.0.1:proxy.port
    proxy.reset()      # both ends hear ECONNRESET
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

_PIECE = 1 << 16
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets


class Proxy:
    """Owns a thread with the loop in which the bytes are carried; its methods are called from any other thread."""

    def __init__(self, name: str, port: int) -> None:
        self._target = name, port
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = {"there": asyncio.Event(), "back": asyncio.Event()}
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._call(self._listen())
        self.port = int(self._server.sockets[0].getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def freeze(self, *ways: str) -> None:
        """What goes "there" or "back" stays here from now on, both without an argument; connections stand."""
        for way in ways or self._open:
            self._loop.call_soon_threadsafe(self._open[way].clear)

    def thaw(self) -> None:
        """What was held goes on."""
        for way in self._open.values():
            self._loop.call_soon_threadsafe(way.set)

    def reset(self) -> None:
        """Every connection ends with a reset at both ends."""
        self._call(self._reset())

    def close(self) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        for way in self._open.values():
            way.set()
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            their_reader, their_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(their_writer)
        await asyncio.gather(
            self._carry(reader, their_writer, self._open["there"]),
            self._carry(their_reader, writer, self._open["back"]),
        )

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                await is_open.wait()
                writer.write(data)
                await writer.drain()
        await is_open.wait()
        writer.close()

    async def _reset(self) -> None:
        for writer in self._writers:
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()
        self._writers.clear()

    async def _stop(self) -> None:
        self._server.close()
        await self._reset()
        for way in self._open.values():
            way.set()  # what waits here sees that its connection has ended
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)
