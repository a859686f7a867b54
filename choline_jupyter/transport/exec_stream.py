"""A channel through a program that somebody else started for us, and whose input and output come as calls.

Used by the providers that reach a machine through their own exec instead of ssh (`providers.modal_cloud`). To its reader and
writer it is like any other channel: bytes in order, pauses when a side is slow, an end.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from choline_jupyter.transport.channel import LIMIT, Channel

_PART = 1 << 20  # bytes of one call; what was written meanwhile goes together
_HIGH, _LOW = 1 << 20, 1 << 18
_PATIENCE = 5.0


class Execution(Protocol):
    """The program over there. What fails because the way to it is broken raises OSError."""

    def read(self) -> AsyncGenerator[bytes, None]:
        """What it prints, in pieces of any size, until it ends."""

    async def write(self, data: bytes) -> None:
        """Give it bytes; returns when they have been taken."""

    async def finish(self) -> None:
        """Tell it that nothing more comes."""

    async def end(self) -> str:
        """Called once, last: let go of it; returns its last words."""


def open_stream(execution: Execution) -> Channel:
    """The channel to a program; called in the loop that will use it."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LIMIT)
    protocol = asyncio.StreamReaderProtocol(reader)
    stream = _ExecStream(loop, protocol, execution)
    return Channel(reader, asyncio.StreamWriter(stream, protocol, reader, loop), lambda: _end(loop, stream))


def _end(loop: asyncio.AbstractEventLoop, stream: _ExecStream) -> str:
    """From another thread than the loop's, which has to go on for it; else the program is let go of without a word."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        ending = asyncio.run_coroutine_threadsafe(stream.conclude(), loop)
        try:
            return ending.result(2 * _PATIENCE)
        except concurrent.futures.TimeoutError:
            ending.cancel()
    return ""


class _ExecStream(asyncio.Transport):
    """What asyncio's streams write to and are fed by. Owns two tasks of its loop until the connection is lost."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.StreamReaderProtocol, execution: Execution
    ) -> None:
        super().__init__()
        self._loop, self._protocol, self._execution = loop, protocol, execution
        self._buffer = bytearray()
        self._is_closing = self._is_lost = self._is_paused = False
        self._wake, self._may_read = asyncio.Event(), asyncio.Event()
        self._may_read.set()
        self._deadline: asyncio.TimerHandle | None = None
        protocol.connection_made(self)
        self._tasks = [loop.create_task(self._send()), loop.create_task(self._receive())]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing:
            return
        self._buffer += data
        self._wake.set()
        if len(self._buffer) > _HIGH and not self._is_paused:
            self._is_paused = True
            self._protocol.pause_writing()

    def close(self) -> None:
        """What is written goes first, for a while."""
        if not self._is_closing:
            self._is_closing = True
            self._wake.set()
            self._deadline = self._loop.call_later(_PATIENCE, self.abort)

    def abort(self) -> None:
        self._lose(None)

    def is_closing(self) -> bool:
        return self._is_closing

    def is_reading(self) -> bool:
        return self._may_read.is_set()

    def pause_reading(self) -> None:
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def can_write_eof(self) -> bool:
        return False

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    async def conclude(self) -> str:
        """Wait for the two tasks, then for the program."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return await self._execution.end()

    async def _send(self) -> None:
        try:
            while self._buffer or not self._is_closing:
                await self._wake.wait()
                self._wake.clear()
                await self._drain()
            await self._execution.finish()
            self._lose(None)
        except OSError as error:
            self._lose(error)

    async def _drain(self) -> None:
        while self._buffer:
            part = bytes(self._buffer[:_PART])
            del self._buffer[:_PART]
            await self._execution.write(part)
            if self._is_paused and len(self._buffer) <= _LOW:
                self._is_paused = False
                self._protocol.resume_writing()

    async def _receive(self) -> None:
        try:
            async with aclosing(self._execution.read()) as parts:
                async for part in parts:
                    self._protocol.data_received(part)
                    await self._may_read.wait()
            self._protocol.eof_received()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError | None) -> None:
        """The connection is over; said once."""
        if self._is_lost:
            return
        self._is_lost = self._is_closing = True
        if self._deadline:
            self._deadline.cancel()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._loop.call_soon(self._protocol.connection_lost, error)
