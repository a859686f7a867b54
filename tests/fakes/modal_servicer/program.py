"""A program in a sandbox: its input by offset, its output kept, so that whoever reads can begin anywhere and again.

Made by `sandbox`; lives in the servicer's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

_READ = 65521  # a prime, so that pieces end where no line does


class Program:
    """Owns three tasks: one for each stream of output, one that waits for the end. `process` has pipes for all streams."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._written, self._is_closed = 0, False
        self._lock = asyncio.Lock()
        self._logs = {1: Log(), 2: Log()}
        assert process.stdout
        assert process.stderr
        self._tasks = [
            asyncio.create_task(self._keep(process.stdout, self._logs[1])),
            asyncio.create_task(self._keep(process.stderr, self._logs[2])),
        ]

    @property
    def code(self) -> int | None:
        return self._process.returncode

    async def write(self, offset: int, data: bytes, *, eof: bool) -> None:
        """What is there already is not written again; returns when the program's pipe has taken it."""
        assert self._process.stdin
        async with self._lock:
            new = data[max(0, self._written - offset) :]
            if not self._is_closed:
                self._process.stdin.write(new)
                self._written += len(new)
                await self._process.stdin.drain()
            if eof and not self._is_closed:
                self._is_closed = True
                self._process.stdin.close()

    def read(self, stream: int, offset: int) -> AsyncIterator[bytes]:
        return self._logs[stream].read(offset)

    async def wait(self) -> int:
        return await self._process.wait()

    async def end(self) -> None:
        """After its sandbox has ended: nothing of it stays."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await asyncio.gather(*self._tasks)
        if self._process.stdin:
            self._process.stdin.close()

    async def _keep(self, stream: asyncio.StreamReader, log: Log) -> None:
        while data := await stream.read(_READ):
            await log.add(data)
        await log.finish()


class Log:
    """Bytes that come, and who waits for them."""

    def __init__(self) -> None:
        self._data, self._is_whole = bytearray(), False
        self._changed = asyncio.Condition()

    async def add(self, data: bytes) -> None:
        async with self._changed:
            self._data += data
            self._changed.notify_all()

    async def finish(self) -> None:
        async with self._changed:
            self._is_whole = True
            self._changed.notify_all()

    async def read(self, offset: int) -> AsyncIterator[bytes]:
        while True:
            async with self._changed:
                while len(self._data) <= offset and not self._is_whole:
                    await self._changed.wait()
                part = bytes(self._data[offset : offset + _READ])
            if not part:
                return
            offset += len(part)
            yield part
