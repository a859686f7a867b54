"""The door: how the supervisor takes the channel that a connector holds, and then has it without a hop between.

Called by the supervisor. The descriptors themselves come over the Unix socket (SCM_RIGHTS), so every byte of a cell
goes straight between the supervisor and sshd, or the client.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")
_LIMIT = 1 << 20


def bind(path: str, kind: int) -> socket.socket:
    """A Unix socket of the supervisor's at `path`, in place of one that is left from before."""
    Path(path).unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, kind)
    bound.setblocking(False)
    bound.bind(path)
    if kind == socket.SOCK_STREAM:
        bound.listen(64)
    return bound


async def open_channel(door: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Take what a connector gives, as streams; raises OSError."""
    _check_peer(door)
    await _wait_readable(door)
    _, descriptors, _, _ = socket.recv_fds(door, 1, 2)
    if len(descriptors) != 2:
        raise ConnectionError("the connector ended before it gave its channel")
    source, target = descriptors
    if os.path.sameopenfile(source, target) and stat.S_ISSOCK(os.fstat(source).st_mode):
        os.close(target)
        return await asyncio.open_unix_connection(sock=socket.socket(fileno=source), limit=_LIMIT)
    return await _open_pipes(source, target)


async def _open_pipes(source: int, target: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LIMIT)
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, os.fdopen(source, "rb", buffering=0))
    sink = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(target, "wb", buffering=0))
    return reader, asyncio.StreamWriter(sink[0], sink[1], reader, loop)


def _check_peer(door: socket.socket) -> None:
    """Only this user may hand in a channel, whatever the mode of the folder has become."""
    _, uid, _ = _CREDENTIALS.unpack(door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    if uid != os.getuid():
        raise PermissionError("a connector of another user")


async def _wait_readable(door: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(door, tell)
    try:
        await asyncio.wait_for(ready, 10)
    except asyncio.TimeoutError:
        raise ConnectionError("the connector gave nothing") from None
    finally:
        loop.remove_reader(door)
