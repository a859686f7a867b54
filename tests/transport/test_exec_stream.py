"""A channel made of calls: order, pauses on either side, its end and its breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import pytest

from choline_jupyter.transport.exec_stream import open_stream

PATIENCE = 20


class Program:
    """Says what the test puts in, takes what it lets it take. None ends its output, an error breaks it."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[bytes | OSError | None] = asyncio.Queue()
        self.taken = bytearray()
        self.may_take = asyncio.Event()
        self.may_take.set()
        self.is_finished = False
        self.writes = 0
        self.read_so_far = 0

    async def read(self) -> AsyncGenerator[bytes, None]:
        while (said := await self.says.get()) is not None:
            if isinstance(said, OSError):
                raise said
            self.read_so_far += len(said)
            yield said

    async def write(self, data: bytes) -> None:
        await self.may_take.wait()
        self.taken += data
        self.writes += 1

    async def finish(self) -> None:
        self.is_finished = True

    async def end(self) -> str:
        return "its last words"


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, PATIENCE))


def test_what_is_written_is_taken_in_order_and_finished_with() -> None:
    async def story() -> None:
        program = Program()
        channel = open_stream(program)
        for number in range(100):
            channel.writer.write(b"%d," % number)
        assert await channel.close() == "its last words"
        assert bytes(program.taken) == b"".join(b"%d," % number for number in range(100))
        assert program.is_finished

    run(story())


def test_what_is_written_while_a_call_is_on_its_way_goes_together() -> None:
    async def story() -> None:
        program = Program()
        program.may_take.clear()
        channel = open_stream(program)
        for _ in range(50):
            channel.writer.write(b"x" * 100)
            await asyncio.sleep(0)
        program.may_take.set()
        await channel.close()
        assert len(program.taken) == 5000
        assert program.writes <= 2

    run(story())


def test_a_program_that_takes_nothing_makes_the_writer_wait() -> None:
    async def story() -> None:
        program = Program()
        program.may_take.clear()
        channel = open_stream(program)
        channel.writer.write(b"x" * (3 << 20))
        waiting = asyncio.ensure_future(channel.writer.drain())
        await asyncio.sleep(0)
        assert not waiting.done()
        program.may_take.set()
        await waiting
        await channel.close()
        assert len(program.taken) == 3 << 20

    run(story())


def test_a_reader_that_does_not_read_makes_the_program_wait() -> None:
    async def story() -> None:
        program, part = Program(), b"y" * (1 << 20)
        channel = open_stream(program)
        for _ in range(20):
            program.says.put_nowait(part)
        program.says.put_nowait(None)
        for _ in range(100):
            await asyncio.sleep(0)
        assert program.read_so_far < 10 << 20
        assert await channel.reader.read() == part * 20
        await channel.close()

    run(story())


def test_the_end_of_the_program_is_the_end_of_the_stream() -> None:
    async def story() -> None:
        program = Program()
        channel = open_stream(program)
        for said in (b"all ", b"of it", None):
            program.says.put_nowait(said)
        assert await channel.reader.read() == b"all of it"
        await channel.close()

    run(story())


def test_a_way_that_breaks_is_a_connection_error() -> None:
    async def story() -> None:
        program = Program()
        channel = open_stream(program)
        program.says.put_nowait(ConnectionResetError("cut"))
        with pytest.raises(ConnectionResetError):
            await channel.reader.read()
        assert channel.writer.is_closing()
        channel.writer.write(b"into the void")
        await channel.close()
        assert not program.taken

    run(story())


def test_an_abort_does_not_wait_for_what_nobody_takes() -> None:
    async def story() -> None:
        program = Program()
        program.may_take.clear()
        channel = open_stream(program)
        channel.writer.write(b"never taken")
        await asyncio.sleep(0)
        channel.writer.transport.abort()
        assert await channel.reader.read() == b""
        await channel.close()
        assert not program.taken
        assert not program.is_finished

    run(story())


def test_it_can_be_ended_in_its_own_loop_without_waiting_for_itself() -> None:
    async def story() -> None:
        channel = open_stream(Program())
        channel.writer.transport.abort()
        assert channel.end() == ""

    run(story())
