"""The queue between those who receive events and the thread that stores them: bounded, and never blocking a putter.

Used by `ledger.event_store`. Sizes are in bytes of records; what has been taken counts until it is reported done, so
the limit bounds the memory that unstored events hold.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from choline_jupyter.ledger.trouble import StoreError

Item = TypeVar("Item")


class Limits(NamedTuple):
    """At most `queue` bytes wait (a larger item only alone); a batch is due at `batch` bytes or after `linger` seconds."""

    queue: int = 64 << 20
    batch: int = 2 << 20
    linger: float = 0.05


LIMITS = Limits()


class EventQueue(Generic[Item]):
    """Any thread may put; one thread takes. A condition orders them and is held for microseconds only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._items: deque[tuple[Item, int]] = deque()
        self._waiting = 0  # bytes in the deque
        self._unstored = 0  # bytes in the deque or taken and not done
        self._put_count = self._done_count = 0
        self._taken_count = 0
        self._wanted = 1  # bytes there must be room for: what was refused last
        self._is_urgent = self._is_closed = False
        self._for_room: list[Callable[[], None]] = []
        self._changed = threading.Condition()

    def put(self, item: Item, size: int, *, force: bool = False) -> bool:
        """Add an item; False, unless `force`, when there was no room and it was not taken.

        Raises StoreError when the queue is closed.
        """
        with self._changed:
            if self._is_closed:
                raise StoreError("The event store is closed.", "Restart the kernel or run the command again.")
            self._wanted = size
            if self._is_full() and not force:
                return False
            self._wanted = 1
            self._items.append((item, size))
            self._put_count += 1
            was_waiting = self._waiting
            self._waiting += size
            self._unstored += size
            # The taker sleeps until there is something, then until there is a batch: wake it for these two only.
            if len(self._items) == 1 or was_waiting < self._limits.batch <= self._waiting:
                self._changed.notify_all()
        return True

    def call_when_room(self, callback: Callable[[], None]) -> None:
        """Call back once, from any thread, as soon as `put` would take what it refused or the queue is closed."""
        with self._changed:
            if self._is_full() and not self._is_closed:
                self._for_room.append(callback)
                return
        callback()

    def take(self) -> list[Item]:
        """The next batch, in order; waits for one. Empty when the queue is closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._is_closed)
            self._changed.wait_for(self._is_batch_due, self._limits.linger)
            batch, size = [], 0
            while self._items and size < self._limits.batch:
                item, length = self._items.popleft()
                batch.append(item)
                size += length
            self._waiting -= size
            self._taken_count += len(batch)
            self._is_urgent = self._is_urgent and bool(self._items)
            return batch

    def mark_done(self) -> None:
        """All that was taken is stored."""
        with self._changed:
            self._unstored = self._waiting
            self._done_count = self._taken_count
            has_room = not self._is_full()
            self._changed.notify_all()
        if has_room:
            self._announce_room()

    def drain(self, timeout: float) -> bool:
        """Wait until all that was put before is stored; False when `timeout` seconds were not enough."""
        with self._changed:
            goal = self._put_count
            self._is_urgent = self._is_urgent or self._done_count < goal
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done_count >= goal, timeout)

    def wait_before_retry(self, delay: float) -> bool:
        """Sleep until `delay` seconds have passed or the queue is closed; False when it is closed."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._is_closed, delay)

    def close(self) -> None:
        """Take nothing more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._announce_room()

    def _announce_room(self) -> None:
        with self._changed:
            callbacks, self._for_room = self._for_room, []
        for callback in callbacks:
            callback()

    def _is_full(self) -> bool:
        return bool(self._unstored) and self._unstored + self._wanted > self._limits.queue

    def _is_batch_due(self) -> bool:
        return self._is_urgent or self._is_closed or self._waiting >= self._limits.batch
