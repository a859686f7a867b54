"""One blob on its way from a machine to a file here.

Used by `session.bulk` in the engine's loop; disk and digest are an executor's. Promise: the file is whole, with the right
digest, or not there; what has come of it is in a `.part` file beside it, from whose end the next try goes on; not one
byte more than was declared is accepted.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from choline_jupyter.errors import CorruptBlob, NoRoom
from choline_jupyter.session.connection import Connection, Refused
from choline_jupyter.wire.frame import CHUNK, Type

_IN_FLIGHT = 8
_TRIES = 2
_FULL = (errno.ENOSPC, errno.EDQUOT)

_Result = TypeVar("_Result")


class Download:
    """One blob of `size` bytes for `path`, whose folder exists. `progress(bytes)` is called as they arrive.

    `place`: where it is over there if not among the blobs: `session` and `path` of a file in a workspace.
    """

    def __init__(
        self,
        channel: Connection,
        digest: str,
        path: Path,
        size: int,
        progress: Callable[[int], None],
        place: Mapping[str, str],
    ) -> None:
        self._channel, self._digest, self._path, self._size = channel, digest, path, size
        self._progress, self._place = progress, place
        self._part = path.with_name(path.name + ".part")
        self._hash = hashlib.sha256()
        self._asked: deque[tuple[int, asyncio.Future[dict[str, Any]]]] = deque()

    async def run(self) -> None:
        """Have it. Raises CorruptBlob, NoRoom, HostError."""
        try:
            for _ in range(_TRIES):  # what an earlier try left may be of another content, or damaged
                if await self._try():
                    return
        except OSError as error:
            if error.errno not in _FULL:
                raise
            what = f"The disk here is full: {self._path.name} needs {self._size} bytes in {self._path.parent}."
            raise NoRoom(what, "Free some space and ask again: it goes on where it was.") from None
        raise CorruptBlob("What came is not what that machine announced.", "Ask again; nothing of it was kept.")

    async def _try(self) -> bool:
        """Fetch what is missing; False, and nothing is left of it, when the digest is wrong."""
        fd = await _in_thread(self._open)
        try:
            await self._fetch(fd, await _in_thread(self._resume, fd))
        finally:
            os.close(fd)
            for _, answer in self._asked:
                answer.cancel()
            self._asked.clear()
        if self._hash.hexdigest() == self._digest:
            self._part.replace(self._path)
            return True
        self._part.unlink()
        return False

    def _open(self) -> int:
        return os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def _resume(self, fd: int) -> int:
        """From where on it is missing; what is there is hashed."""
        self._hash = hashlib.sha256()
        count = os.fstat(fd).st_size
        if count > self._size:
            os.ftruncate(fd, 0)
            return 0
        while data := os.read(fd, CHUNK):
            self._hash.update(data)
        return count

    async def _fetch(self, fd: int, offset: int) -> None:
        """The pieces from `offset` on, some asked for ahead, written in their order."""
        asked = offset
        while offset < self._size:
            while asked < self._size and len(self._asked) < _IN_FLIGHT:
                asked += self._ask(asked)
            count, answer = self._asked.popleft()
            data = self._check(await answer, count)
            await _in_thread(self._write, fd, data)
            self._progress(len(data))
            offset += count

    def _ask(self, offset: int) -> int:
        count = min(CHUNK, self._size - offset)
        wish = {"blob": self._digest, "offset": offset, "count": count, **self._place}
        self._asked.append((count, self._channel.ask(Type.FETCH, wish, limit=count)))
        return count

    def _check(self, answer: dict[str, Any], count: int) -> bytes:
        if "refused" in answer:
            raise Refused(str(answer["refused"]), str(answer.get("message", "")))
        if answer.get("size") != self._size or len(answer["body"]) != count:
            self._part.unlink(missing_ok=True)
            raise CorruptBlob(
                f"That machine announced {self._size} bytes and has {answer.get('size')}.", "Ask for it again."
            )
        return bytes(answer["body"])

    def _write(self, fd: int, data: bytes) -> None:
        """Behind what is there; hashed in the same thread."""
        self._hash.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]


async def _in_thread(function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Also when this is cancelled the thread is waited for: its file is closed next."""
    working = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise
