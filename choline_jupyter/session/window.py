"""The window of an upload: some chunks are on their way, the next leaves when one has been answered.

Made by `session.sending` for one channel, in the engine's loop. It begins small, so that after two chunks it is known how fast
the way is; on a slow one chunks are compressed, each by itself, unless they do not become smaller by that.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Any

from choline_jupyter.session.connection import Connection
from choline_jupyter.wire.frame import Type

_WIDEST = 8  # chunks that are not answered yet: enough for 150 MB/s at 50 ms
_SLOW = 30e6  # bytes a second; zlib makes about three times that
_WORTH = 0.9
_PASSED_OVER = 16  # chunks that go as they are behind one that did not become smaller
_MEASURED = 2  # chunks that are enough to tell how fast it is

Progress = Callable[[int], None]


class Window:
    """`progress(bytes)` is called as they arrive."""

    def __init__(self, channel: Connection, progress: Progress) -> None:
        self._channel, self._progress = channel, progress
        self._answers: set[asyncio.Task[None]] = set()
        self._count = self._bytes = self._passed_over = 0
        self._begun = asyncio.get_running_loop().time()

    async def send(self, head: dict[str, Any], data: bytes) -> None:
        """Send a chunk as soon as there is room. Raises what an earlier one was answered with."""
        await self.settle(min(_WIDEST, _MEASURED + self._count))
        if self._is_slow() and self._passed_over == 0:
            head, data = await self._compress(head, data)
        self._passed_over = max(0, self._passed_over - 1)
        self._answers.add(asyncio.create_task(self._wait(head, data)))

    async def settle(self, limit: int = 1) -> None:
        """Wait until fewer than `limit` are on their way."""
        while len(self._answers) >= limit:
            done, self._answers = await asyncio.wait(self._answers, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()

    def _is_slow(self) -> bool:
        passed = asyncio.get_running_loop().time() - self._begun
        return self._count >= _MEASURED and self._bytes < _SLOW * passed

    async def _compress(self, head: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        packed = await asyncio.to_thread(zlib.compress, data, 1)
        if len(packed) < _WORTH * len(data):
            return {**head, "length": len(data)}, packed
        self._passed_over = _PASSED_OVER
        return head, data

    async def _wait(self, head: dict[str, Any], data: bytes) -> None:
        await self._channel.request(Type.BLOB, head, data)
        self._count += 1
        self._bytes += len(data)
        self._progress(head.get("length", len(data)))
