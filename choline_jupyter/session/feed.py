"""The feed: the one queue through which events reach the thread that shows them.

Filled by `session.follower` in the engine's loop, emptied by whoever shows (the notebook's main thread, the command).
What has been taken out is credited to the agent, which sends no more than a window ahead: a notebook that is busy or
asleep holds a few MB here, and the job does not notice.
"""

from __future__ import annotations

import queue
from collections.abc import Callable

from choline_jupyter.model.event import Event

WINDOW = 8 << 20
_BATCH = 1 << 18


class Feed:
    """Any thread may put, one at a time may get. `credit(rank, bytes)` is called in the getting thread."""

    def __init__(self, credit: Callable[[int, int], None], on_arrival: Callable[[], None] = lambda: None) -> None:
        self.on_arrival = on_arrival
        self._queue: queue.SimpleQueue[tuple[Event | None, int]] = queue.SimpleQueue()
        self._credit = credit
        self._owed: dict[int, int] = {}
        self._next: tuple[Event | None, int] | None = None

    def put(self, event: Event, size: int) -> None:
        """Engine: one more event, in order."""
        self._queue.put((event, size))
        self.on_arrival()

    def wake(self) -> None:
        """Make a waiting `get` return without an event: something else has changed."""
        self._queue.put((None, 0))
        self.on_arrival()

    def get(self, timeout: float | None = None) -> Event | None:
        """The next event, None after `timeout` seconds (None: for ever) or a `wake`."""
        try:
            return self._hand_out(self._next or self._queue.get(timeout=timeout))
        except queue.Empty:
            return None

    def get_at_once(self) -> Event | None:
        """The next event if there is one."""
        return self._hand_out(self._next) if self.peek() and self._next else None

    def peek(self) -> Event | None:
        """The event that the next `get` returns, if it is there already."""
        while self._next is None or self._next[0] is None:
            try:
                self._next = self._queue.get_nowait()
            except queue.Empty:
                self._next = None
                return None
        return self._next[0]

    def _hand_out(self, item: tuple[Event | None, int]) -> Event | None:
        self._next = None
        event, size = item
        if event is not None:
            self._pay(event.series.rank, size)
        return event

    def _pay(self, rank: int, size: int) -> None:
        """Credit in batches: a frame per event would double the traffic."""
        owed = self._owed.get(rank, 0) + size
        if owed >= _BATCH:
            self._credit(rank, owed)
            owed = 0
        self._owed[rank] = owed
