"""What all routes have in common: how they read, act and fail.

Subclassed by `server.routes`. Promises: what goes wrong is answered with a sentence and a status, never with a stack of
ours; nothing that waits for a disk or another machine runs in the server's loop.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError

from choline_jupyter.errors import CholineError, UnknownJob, UnknownSession
from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.server.record import Reading, Record

if TYPE_CHECKING:
    from choline_jupyter.model.job import JobRow
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.server.news import News
    from choline_jupyter.session.bridge import Bridge

Result = TypeVar("Result")

SETTING = "choline"
_DIGITS = 30


@dataclass
class Shared:
    """What the handlers of one server share; `acting` waits for machines, `reading` for this one's disk.

    `counting` reads the ledger: one that is locked holds up nothing but what is said of money.
    """

    record: Record
    reading: Reading
    acting: Reading
    counting: Reading
    news: News | None = None  # when the server's loop has come to it

    def close(self) -> None:
        """Called in the loop: watch nothing, take nothing more; what is open is closed where it is used."""
        if self.news:
            self.news.close()
        self.counting.submit(self.record.close_fleet)
        self.reading.submit(self.record.close_store)
        for thread in (self.counting, self.reading, self.acting):
            thread.close()


class RecordHandler(APIHandler):
    """A route on the record and the sessions."""

    @property
    def shared(self) -> Shared:
        """What the handlers of this server share."""
        shared: Shared = self.settings[SETTING]
        return shared

    @property
    def root(self) -> str:
        """The folder that the file browser shows."""
        return str(Path(self.settings.get("server_root_dir") or ".").expanduser().absolute())

    async def read(self, function: Callable[..., Result], *values: Any) -> Result:
        """Call a function with the store first, where it may wait for the disk."""
        try:
            return await self.shared.reading.call(lambda: function(self.shared.record.store, *values))
        except (StoreError, CholineError, ValueError) as error:
            raise make_refusal(error) from None

    async def act(self, make: Callable[[Bridge], Coroutine[Any, Any, Result]]) -> Result:
        """Run a coroutine in this process's engine, which is started for it, and wait for what it returns."""
        from choline_jupyter.session.bridge import get_bridge

        def perform() -> Result:
            bridge = get_bridge()
            return bridge.call(make(bridge))

        try:
            return await self.shared.acting.call(perform)
        except (StoreError, CholineError, asyncio.TimeoutError) as error:
            raise make_refusal(error) from None

    async def find_job(self, id: str) -> JobRow:
        """The job of this id; answers 404 when nobody knows it."""
        rows: list[JobRow] = await self.read(lambda store: store.changes.find_jobs([id]))
        if not rows:
            raise make_refusal(UnknownJob(f"There is no job {id}.", "It was made on another machine or deleted here."))
        return rows[0]

    async def find_session(self, id: str) -> SessionRow:
        """The session of this id; answers 404 when nobody knows it."""
        rows: list[SessionRow] = await self.read(lambda store: store.list_sessions())
        for row in rows:
            if row.id == id:
                return row
        raise make_refusal(UnknownSession(f"There is no session {id}.", "`choline status` lists them."))

    async def count(self, function: Callable[..., Result], *values: Any) -> Result:
        """Call a function with the fleet first, where it may wait for the ledger."""
        try:
            return await self.shared.counting.call(lambda: function(self.shared.record.fleet, *values))
        except (StoreError, CholineError, ValueError) as error:
            raise make_refusal(error) from None

    def answer(self, content: dict[str, Any]) -> None:
        """Finish with JSON."""
        self.finish(json.dumps(content))


def make_refusal(error: Exception) -> HTTPError:
    """The same trouble as an answer: 404 for what nobody knows, 400 for nonsense, 409 for what cannot be done now."""
    if isinstance(error, StoreError):
        return HTTPError(503, f"{error} {error.hint}")
    if isinstance(error, (UnknownJob, UnknownSession)):
        return HTTPError(404, str(error))
    if isinstance(error, asyncio.TimeoutError):
        return HTTPError(504, "The machine has not answered in time.")
    return HTTPError(409 if isinstance(error, CholineError) else 400, str(error))


def read_seconds(text: str) -> float:
    """A time in seconds since the epoch, as a query has it; raises ValueError."""
    seconds = float(text) if len(text) < _DIGITS else math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{text[:_DIGITS]!r} is no time")
    return seconds
