"""Assembly: makes large contents of what this machine has already, and of a delta where it is an older version of them.

Called by the supervisor for its clients, in its event loop; the work is done in an executor's threads. Promise: what is made
has the SHA-256 that was asked for, or it is not there; the old version is only read.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.contents import Contents
from choline_jupyter.store.delta import HEAD, NEW, RANGE, Range, count_ranges, measure, read_ranges
from choline_jupyter.store.digester import Digester

_PATIENCE = 5.0  # seconds after which a client hears how far it is
_READ = 1 << 20
_MOST = 1 << 20  # ranges of a delta


class Assembly:
    """What is being made, by its digest: a client that asks again, behind a cut, waits for the same work."""

    def __init__(self, blobs: BlobFolder, contents: Contents) -> None:
        self._blobs, self._contents = blobs, contents
        self._works: dict[str, asyncio.Future[None]] = {}
        self._done: dict[str, int] = {}

    def find_missing(self, digests: list[str], sizes: dict[str, int], bases: dict[str, str]) -> dict[str, Any]:
        """Which blobs are not whole, from which offset on each is wanted, and of which content here it can be made.

        `sizes` are theirs, `bases` the contents that a client could send deltas to. Blocks; for an executor.
        """
        wanted = [digest for digest in digests if not self._contents.reserve(digest)]
        missing = self._blobs.find_missing(wanted)
        found = {}
        for digest in missing:
            options = (digest, bases.get(digest, ""))
            base = next((option for option in options if option and self._contents.has(option)), "")
            found.update({digest: base} if base else {})
        self._contents.make_room(sum(sizes.get(digest, 0) - offset for digest, offset in missing.items()))
        return {"missing": missing, "bases": found}

    async def make(self, digest: str, base: str, delta: str) -> dict[str, Any]:
        """Have the blob `digest`, made of the content `base` and the blob `delta`; without one they are the same.

        Answers after a while in any case: whether it is whole, and how many bytes are made. Raises ValueError for what is
        no delta or has come out wrong, FileNotFoundError without base or delta, OSError for the disk.
        """
        if digest not in self._works:
            self._works[digest] = asyncio.get_running_loop().run_in_executor(None, self._make, digest, base, delta)
        work = self._works[digest]
        done, _ = await asyncio.wait({work}, timeout=_PATIENCE)
        if done:
            if self._works.get(digest) is work:
                del self._works[digest]
            work.result()
        return {"whole": bool(done), "done": self._done.get(digest, 0)}

    def _make(self, digest: str, base: str, delta: str) -> None:
        if self._blobs.find(digest).exists():
            return
        old = self._contents.open(base)
        try:
            fresh = os.open(self._blobs.find(delta), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW) if delta else -1
            try:
                self._write(digest, old, fresh)
            finally:
                if fresh >= 0:
                    os.close(fresh)
        finally:
            os.close(old)
            self._done.pop(digest, None)
        if delta:
            self._blobs.remove(delta)

    def _write(self, digest: str, old: int, fresh: int) -> None:
        target = self._blobs.find(digest).with_suffix(".made")
        self._blobs.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        digester = Digester()
        try:
            with open(target, "wb", buffering=0) as file:
                try:
                    for piece in _list_pieces(old, fresh):
                        digester.update(piece)
                        file.write(piece)
                        self._done[digest] = self._done.get(digest, 0) + len(piece)
                finally:
                    found = digester.finish()
            if found != digest:
                raise ValueError("it came out different")
            os.replace(target, self._blobs.find(digest))
        except BaseException:
            with suppress(FileNotFoundError):
                target.unlink()
            raise


def _list_pieces(old: int, fresh: int) -> Iterator[bytes]:
    """The new version's bytes, in order."""
    size = os.fstat(old).st_size
    ranges, position = _read_delta(fresh) if fresh >= 0 else ([Range(0, size)], 0)
    if any(offset != NEW and offset + count > size for offset, count in ranges):
        raise ValueError("the old version is shorter")
    for offset, count in ranges:
        source, start = (fresh, position) if offset == NEW else (old, offset)
        position += count if offset == NEW else 0
        yield from _read(source, start, count)


def _read_delta(fresh: int) -> tuple[list[Range], int]:
    """What a delta says, and where its new bytes begin."""
    count = count_ranges(os.pread(fresh, HEAD, 0))
    if count > _MOST:
        raise ValueError("a delta of %d ranges" % count)
    ranges = list(read_ranges(os.pread(fresh, count * RANGE, HEAD)))
    start = HEAD + count * RANGE
    if len(ranges) != count or start + measure(ranges)[1] != os.fstat(fresh).st_size:
        raise ValueError("no whole delta")
    return ranges, start


def _read(fd: int, offset: int, count: int) -> Iterator[bytes]:
    while count:
        piece = os.pread(fd, min(_READ, count), offset)
        if not piece:
            raise ValueError("it has become shorter")
        yield piece
        offset, count = offset + len(piece), count - len(piece)
