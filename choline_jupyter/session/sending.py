"""Sending blobs to a machine on one channel: what it has is not sent, of what it has an older version only the difference.

Used by `session.bulk` in the engine's loop. A transfer that was cut goes on where it was, a delta like any other blob.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO

from choline_jupyter.errors import HostError
from choline_jupyter.session.connection import Connection, Refused
from choline_jupyter.session.delta import Deltas
from choline_jupyter.session.window import Progress, Window
from choline_jupyter.wire.frame import CHUNK, Type

_TRIES = 3
_AT_A_TIME = 8  # packs that are asked about in one question, and read while others are on their way


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
                if refusal.code != "damaged" or tried == _TRIES:
                    raise _explain(refusal) from None

    async def run_packs(self, packs: Iterator[bytes]) -> None:
        """Have packs, of at most CHUNK bytes, over there. They are made in a thread while others are on their way."""
        window = Window(self._channel, self._progress)
        try:
            coming = asyncio.create_task(self._ask(packs))
            while wanted := await coming:
                coming = asyncio.create_task(self._ask(packs))
                for digest, pack in wanted[0].items():
                    await window.send({"blob": digest, "offset": 0, "size": len(pack)}, pack)
            await window.settle()
        except Refused as refusal:
            raise _explain(refusal) from None

    async def _ask(self, packs: Iterator[bytes]) -> list[dict[str, bytes]]:
        """The next packs, those of them that are missing over there; nothing behind the last."""
        made = await asyncio.to_thread(
            lambda: {hashlib.sha256(one).hexdigest(): one for one in islice(packs, _AT_A_TIME)}
        )
        if not made:
            return []
        wish = {"blobs": list(made), "sizes": {digest: len(pack) for digest, pack in made.items()}}
        missing = (await self._channel.request(Type.HAVE, wish))["missing"]
        for digest in made.keys() - set(missing):
            self._progress(len(made[digest]))
        return [{digest: pack for digest, pack in made.items() if digest in missing}]

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


def _explain(refusal: Refused) -> HostError:
    return HostError(str(refusal), "Free some space there and run it again.") if refusal.code == "full" else refusal


class _Upload:
    """One file on its way."""

    def __init__(self, channel: Connection, digest: str, path: Path, progress: Progress) -> None:
        self._window = Window(channel, progress)
        self._digest, self._path = digest, path
        self._size = path.stat().st_size

    async def run(self, offset: int) -> None:
        """Send it from `offset` on. The last chunk leaves alone: over there it closes the blob."""
        with self._path.open("rb") as file:
            file.seek(offset)
            last = max(offset, self._size - CHUNK)
            while offset < last:
                offset += await self._send(file, offset, min(CHUNK, last - offset))
            await self._window.settle()
            await self._send(file, offset, CHUNK)
            await self._window.settle()

    async def _send(self, file: IO[bytes], offset: int, count: int) -> int:
        data = file.read(count)
        await self._window.send({"blob": self._digest, "offset": offset, "size": self._size}, data)
        return len(data) or count  # a file that has become shorter ends, and is found out over there
