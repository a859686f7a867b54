"""Sending blobs to a machine on one channel: what it has is not sent, of what it has an older version only the difference.

Used by `session.bulk` in the engine's loop. A transfer that was cut goes on where it was, a delta like any other blob.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from choline_jupyter.errors import HostError
from choline_jupyter.session.connection import Connection, Refused
from choline_jupyter.session.delta import Deltas
from choline_jupyter.wire.frame import CHUNK, Type

_IN_FLIGHT = 8  # chunks that are not answered yet: enough for 150 MB/s at 50 ms
_TRIES = 3

Progress = Callable[[int], None]


class Sending:
    """`progress(bytes)` is called as bytes arrive, or are made over there."""

    def __init__(self, channel: Connection, progress: Progress, deltas: Deltas | None = None) -> None:
        self._channel, self._progress, self._deltas = channel, progress, deltas

    async def run(self, files: Mapping[str, Path]) -> None:
        """Have files, by their SHA-256, over there. Raises HostError."""
        for tried in range(1, _TRIES + 1):
            try:
                await self._try(files, self._deltas.bases if self._deltas and tried == 1 else {})
                return
            except Refused as refusal:
                if refusal.code == "full":
                    raise HostError(str(refusal), "Free some space there and run it again.") from None
                if refusal.code != "damaged" or tried == _TRIES:
                    raise

    async def _try(self, files: Mapping[str, Path], bases: Mapping[str, str]) -> None:
        sizes = {digest: path.stat().st_size for digest, path in files.items()}
        wish = {"blobs": list(files), "sizes": sizes, "bases": {one: bases[one] for one in files if one in bases}}
        answer = await self._channel.request(Type.HAVE, wish)
        for digest, offset in answer["missing"].items():
            base = answer["bases"].get(digest)
            if base == digest:
                await self._make(digest, base, sizes[digest], "")
            elif not (base and base == bases.get(digest) and await self._send_delta(digest, base, files[digest])):
                await _Upload(self._channel, digest, files[digest], self._progress).run(int(offset))

    async def _send_delta(self, digest: str, base: str, path: Path) -> bool:
        """False where there is none."""
        delta = await asyncio.to_thread(self._deltas.write, digest, base, path) if self._deltas else None
        if delta is None:
            return False
        try:
            size = delta.path.stat().st_size
            await Sending(self._channel, self._progress).run({delta.digest: delta.path})
            await self._make(digest, base, path.stat().st_size - size, delta.digest)
        finally:
            delta.path.unlink(missing_ok=True)
        return True

    async def _make(self, digest: str, base: str, rest: int, delta: str) -> None:
        """Have a blob made over there; it counts as `rest` bytes. Raises Refused when it came out wrong."""
        while not (await self._channel.request(Type.PATCH, {"blob": digest, "base": base, "delta": delta}))["whole"]:
            pass
        self._progress(max(0, rest))


class _Upload:
    """One file on its way: some chunks are in flight, the next leaves when one has been answered."""

    def __init__(self, channel: Connection, digest: str, path: Path, progress: Progress) -> None:
        self._channel, self._digest, self._path, self._progress = channel, digest, path, progress
        self._size = path.stat().st_size
        self._answers: set[asyncio.Task[None]] = set()

    async def run(self, offset: int) -> None:
        """Send it from `offset` on. The last chunk leaves alone: over there it closes the blob."""
        with self._path.open("rb") as file:
            file.seek(offset)
            last = max(offset, self._size - CHUNK)
            while offset < last:
                offset += self._start(file, offset, min(CHUNK, last - offset))
                await self._settle(_IN_FLIGHT)
            await self._settle(1)
            self._start(file, offset, CHUNK)
            await self._settle(1)

    def _start(self, file: IO[bytes], offset: int, count: int) -> int:
        data = file.read(count)
        head = {"blob": self._digest, "offset": offset, "size": self._size}
        self._answers.add(asyncio.create_task(self._wait(head, data)))
        return len(data)

    async def _wait(self, head: dict[str, object], data: bytes) -> None:
        await self._channel.request(Type.BLOB, head, data)
        self._progress(len(data))

    async def _settle(self, limit: int) -> None:
        """Wait until fewer than `limit` are in flight."""
        while len(self._answers) >= limit:
            done, self._answers = await asyncio.wait(self._answers, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
