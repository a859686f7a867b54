"""Bulk bytes for a machine and from it: blobs on a channel of their own, so that no output waits for them.

Made by whoever has a connection; runs in the engine's event loop. What the machine has already is not sent, and a transfer
that was cut goes on where it was, either way.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from choline_jupyter.errors import HostError, TooLarge
from choline_jupyter.session.connection import Connection
from choline_jupyter.session.delta import Deltas
from choline_jupyter.session.download import Download
from choline_jupyter.session.sending import Sending
from choline_jupyter.session.value_sending import send_values
from choline_jupyter.session.window import Progress
from choline_jupyter.transport.channel import Channel, Transport, TransportError
from choline_jupyter.wire.frame import CHUNK


class _Beside(Transport):
    """The way of a connection that stands, taken a second time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def open(self) -> Channel:
        try:
            return await self._connection.open_beside()
        except HostError as error:
            raise TransportError(str(error), error.hint) from None


def make_beside(connection: Connection) -> Transport:
    """The way of a connection that stands, for one more."""
    return _Beside(connection)


class Bulk:
    """The second channel to the machine of `connection`; it is opened by a `put` or `get` and closed behind it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    async def put(
        self, files: Mapping[str, Path], progress: Progress = lambda count: None, deltas: Deltas | None = None
    ) -> None:
        """Have files (by their SHA-256) on the machine; `progress(bytes)` is called as they arrive. Raises HostError.

        With `deltas` only what is new of a file goes, where the machine has its old version.
        """
        async with self._open() as channel:
            await Sending(channel, progress, deltas).run(files)

    async def put_packs(self, packs: Iterator[bytes], progress: Progress) -> None:
        """Have packs, as they are made, on the machine as blobs. Raises HostError, and what making them raises."""
        async with self._open() as channel:
            await Sending(channel, progress).run_packs(packs)

    async def put_values(self, values: Mapping[str, memoryview], progress: Progress = lambda count: None) -> None:
        """Have bytes of this process (by their SHA-256) on the machine. Raises HostError."""
        async with self._open() as channel:
            await send_values(channel, values, progress)

    async def get(
        self,
        files: Mapping[str, Path],
        sizes: Mapping[str, int],
        progress: Progress = lambda count: None,
        quota: int | None = None,
    ) -> None:
        """Have blobs (by their SHA-256) of the machine in files here, whose folders exist.

        `sizes` is what the machine has declared of each: if that is more than `quota`, nothing is asked for, and more
        than that is not accepted. Raises TooLarge, CorruptBlob, NoRoom, HostError; what has come is kept for next time.
        """
        total = sum(sizes[digest] for digest in files)
        if quota is not None and total > quota:
            raise TooLarge(f"{total} bytes would come, {quota} are allowed.", "Bring less at once.")
        async with self._open() as channel:
            for digest, path in files.items():
                await Download(channel, digest, path, sizes[digest], progress, {}).run()

    async def get_file(self, place: Mapping[str, str], digest: str, size: int, path: Path) -> None:
        """Have a file of a session's workspace (`place` has its `session` and `path`) here; as `get`."""
        async with self._open() as channel:
            await Download(channel, digest, path, size, lambda count: None, place).run()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Connection]:
        async with self._turn:
            channel = Connection(_Beside(self._connection))
            await channel.open()
            try:
                yield channel
            finally:
                self._connection.bytes_sent += channel.bytes_sent
                self._connection.bytes_received += channel.bytes_received
                await channel.close()


async def hash_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""

    def read() -> str:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                digest.update(data)
        return digest.hexdigest()

    return await asyncio.get_running_loop().run_in_executor(None, read)
