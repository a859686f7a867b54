"""A pump: sends the records of one rank's journal to one client, from a seq on, for as long as the client follows.

Made by `agent.client`, one per client and series; runs in the supervisor's event loop. What the client has not credited
is limited, so a slow client costs the journal nothing and this process a few MB. The first output after a silence goes
at once; while a rank keeps streaming text, what comes within 20 ms shares a frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Callable, Optional

from choline_jupyter.agent.doorbell import Bell
from choline_jupyter.agent.journal import JournalReader
from choline_jupyter.wire.frame import CHUNK

_PAUSE = 0.02

Send = Callable[[dict[str, Any], bytes], Awaitable[None]]


class Pump:
    """Owns one task. `bell` is None for the supervisor's own series, which calls `wake` itself."""

    def __init__(
        self, series: dict[str, Any], reader: JournalReader, bell: Optional[Bell], window: int, send: Send
    ) -> None:
        self._series, self._reader, self._bell, self._send = series, reader, bell, send
        self._credit = window
        self._more = asyncio.Event()
        self._credited = asyncio.Event()
        self._hurry = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())

    def wake(self, hurry: bool) -> None:
        """The journal grew; `hurry` when somebody waits for just this record."""
        self._more.set()
        if hurry:
            self._hurry.set()

    def credit(self, count: int) -> None:
        """The client has consumed `count` bytes."""
        self._credit += count
        self._credited.set()

    def close(self) -> None:
        self._task.cancel()
        self._reader.close()

    async def _run(self) -> None:
        while True:
            self._more.clear()
            self._hurry.clear()
            if self._bell:
                self._bell.arm()
            data = self._reader.read(CHUNK)
            if not data:
                await self._more.wait()
                continue
            await self._pass(data)
            if self._reader.ends_in_text:
                await self._rest()

    async def _pass(self, data: bytes) -> None:
        while self._credit <= 0:
            self._credited.clear()
            await self._credited.wait()
        self._credit -= len(data)
        await self._send(self._series, data)

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._hurry.wait(), _PAUSE)
        except asyncio.TimeoutError:
            pass
