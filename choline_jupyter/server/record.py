"""The local record as the server reads it: the event store and the ledger, opened when they are first wanted.

Called by the handlers and by `server.news`, each file always from the one thread of a `Reading`: SQLite may wait for a
lock, and the server's loop must not. Promise: a record that cannot be read (locked, damaged, of a newer choline) costs one
sentence per request, and is tried again at the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.ledger.location import find_data_directory
from choline_jupyter.session.rent.fleet import Fleet

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")


class Record:
    """The event store and the ledger of this user. `store` raises StoreError, and so do the fleet's methods."""

    def __init__(self) -> None:
        self._store: EventStore | None = None
        self._fleet: Fleet | None = None

    @property
    def store(self) -> EventStore:
        """The store; opened anew as long as that has failed."""
        if self._store is None:
            self._store = EventStore(find_data_directory().path)
        return self._store

    @property
    def fleet(self) -> Fleet:
        """What is rented; looking at it makes no ledger."""
        if self._fleet is None:
            self._fleet = Fleet(find_data_directory().path)
        return self._fleet

    def close_store(self) -> None:
        """What asks later opens it anew."""
        store, self._store = self._store, None
        if store:
            store.close()

    def close_fleet(self) -> None:
        """The same for the ledger."""
        fleet, self._fleet = self._fleet, None
        if fleet:
            fleet.close()

    @property
    def notice(self) -> str:
        """One sentence for the user about where the record lies or what became of it, empty when all is well."""
        return find_data_directory().notice or self.store.notice

    def close(self) -> None:
        """Let go of the files."""
        self.close_store()
        self.close_fleet()


class Reading:
    """Owns one thread, which starts with the first call: everything that waits for the disk happens there."""

    def __init__(self, name: str, threads: int = 1) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def call(
        self, function: Callable[Parameters, Result], *values: Parameters.args, **named: Parameters.kwargs
    ) -> Result:
        """What the function returns or raises there."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(*values, **named))

    def submit(self, function: Callable[[], Result]) -> Future[Result]:
        """Have it called there; returns at once."""
        return self._executor.submit(function)

    def close(self) -> None:
        """Take nothing more; what was submitted goes on to its end."""
        self._executor.shutdown(wait=False)


def clip(value: Any, length: int) -> str:
    """Text of at most so many characters."""
    text = str(value)
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"
