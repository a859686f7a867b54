"""A provider's limit on calls, kept here: who comes too early waits, and nobody else does.

Used by the providers that say how often they may be asked. Of no loop and no thread: turns are given out under a lock,
waiting is done outside of it. Another process of the user's does not know of it; the provider's own refusal remains.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable


class Pace:
    """One turn in `interval` seconds; the first is at once. Any thread, any loop."""

    def __init__(
        self,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval, self._clock, self._sleep = interval, clock, sleep
        self._lock = threading.Lock()
        self._next = float("-inf")  # when the next turn is

    async def wait(self) -> None:
        """Until it is the caller's turn. One that is given up in mid-wait is not given to others."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._interval
        if turn > now:
            await self._sleep(turn - now)


_PACES: dict[tuple[str, str, float], Pace] = {}


def find_pace(url: str, call: str, interval: float) -> Pace:
    """The one of this process for a kind of call to an address."""
    return _PACES.setdefault((url, call, interval), Pace(interval))
