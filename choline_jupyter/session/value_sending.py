"""Sending large values to a machine, from the memory that they lie in: no copy on the disk, none in memory.

Used by `session.bulk` in the engine's loop. What changes while it is sent comes out with another digest over there, and is an
error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from choline_jupyter.session.connection import Connection
from choline_jupyter.wire.frame import CHUNK, Type

_IN_FLIGHT = 8  # chunks that are not answered yet


async def send_values(channel: Connection, values: Mapping[str, memoryview], progress: Callable[[int], None]) -> None:
    """Have values, by their SHA-256, over there; `progress(bytes)` is called as they arrive. Raises HostError."""
    missing = (await channel.request(Type.HAVE, {"blobs": list(values)}))["missing"]
    for digest, data in values.items():
        if digest in missing:
            await _send(channel, digest, data, int(missing[digest]), progress)
        else:
            progress(len(data))


async def _send(
    channel: Connection, digest: str, data: memoryview, offset: int, progress: Callable[[int], None]
) -> None:
    """From `offset` on. The last chunk leaves alone: over there it closes the blob."""
    answers: set[asyncio.Task[None]] = set()

    async def send_one(start: int) -> None:
        piece = data[start : start + CHUNK]
        await channel.request(Type.BLOB, {"blob": digest, "offset": start, "size": len(data)}, piece)
        progress(len(piece))

    async def settle(limit: int) -> None:
        nonlocal answers
        while len(answers) >= limit:
            done, answers = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()

    starts = list(range(min(offset, max(0, len(data) - CHUNK)), len(data), CHUNK))
    for start in starts[:-1]:
        answers.add(asyncio.create_task(send_one(start)))
        await settle(_IN_FLIGHT)
    await settle(1)
    await send_one(starts[-1])
