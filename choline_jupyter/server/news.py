"""News: tells the front end, through the server's own event stream, which jobs and sessions have changed.

Started by `server.load` in the server's loop. Promises: what has been stored is told of within 250 ms, whoever stored
it; while nothing happens nothing is done; a look costs what is new, not what is there. What is told are names only;
what the front end wants to know of them it asks for.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from choline_jupyter.ledger.event_store import FILE_NAME
from choline_jupyter.ledger.ledger import FILE_NAME as LEDGER_NAME
from choline_jupyter.ledger.location import find_data_directory
from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.server.disk_watch import DiskWatch
from choline_jupyter.session.keeping import find_keeper, start_keeper
from choline_jupyter.session.start_record import Starts

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from choline_jupyter.ledger.change_reader import Mark
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.server.record import Reading, Record

SCHEMA_ID = "https://schema.choline.dev/jupyter/changed/v1"
SCHEMA = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "Something choline knows of has changed",
    "personal-data": True,
    "type": "object",
    "properties": {
        "jobs": {"type": "array", "items": {"type": "string"}, "title": "Jobs with a changed row or new events"},
        "sessions": {"type": "boolean", "title": "Whether a session has changed"},
        "money": {"type": "boolean", "title": "Whether the ledger has changed"},
    },
    "required": ["jobs", "sessions"],
}
_FILES, _LEDGER = ([name, f"{name}-wal", f"{name}-journal"] for name in (FILE_NAME, LEDGER_NAME))
_QUIET = 1.0
_KEEPER_AFTER = 10.0  # seconds that a job has been open; short ones are not worth a process


class News:
    """Lives in the server's loop, from `start` to `close`; reads in the thread of `reading`; `emit(data=...)` tells."""

    def __init__(self, record: Record, reading: Reading, emit: Callable[..., object]) -> None:
        self._record, self._reading, self._emit = record, reading, emit
        self._watches: list[DiskWatch] = []
        self._mark: Mark | None = None
        self._open: set[str] = set()
        self._sessions: list[SessionRow] = []
        self._is_due = self._is_looking = False
        self._later: asyncio.TimerHandle | None = None
        self._guard: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    async def start(self) -> None:
        """Tell of what changes from now on. A record that cannot be read is looked at again when it changes."""
        with suppress(StoreError):
            folder = await self._reading.call(lambda: find_data_directory().path)
            starts = await self._reading.call(_make_starts_folder, folder)
            self._watches = [
                DiskWatch(folder, _FILES, self._note_change),
                DiskWatch(folder, _LEDGER, self._tell_money),
                DiskWatch(starts, (), self._tell_sessions),
            ]
            for watch in self._watches:
                watch.start()
            await self._reading.call(self._remember)
            self._ensure_keeper()

    def close(self) -> None:
        """Tell no more."""
        for watch in self._watches:
            watch.close()
        for timer in filter(None, (self._guard, self._later)):
            timer.cancel()

    def look(self) -> None:
        """Look for what is new, now or when the look that is under way has ended."""
        self._is_due = True
        if not self._is_looking:
            self._is_due, self._is_looking = False, True
            self._reading.submit(self._find_changes).add_done_callback(self._hand_over)

    def _note_change(self) -> None:
        """Now, and once more when all is quiet: who writes may have been held up before its commit could be seen."""
        self.look()
        self._look_later()

    def _tell_money(self) -> None:
        """Who wants to know reads the ledger; that something was written is all that is known here."""
        self._emit(data={"jobs": [], "sessions": False, "money": True})

    def _tell_sessions(self) -> None:
        """A session that is being started has come further, or to nothing."""
        self._emit(data={"jobs": [], "sessions": True})

    def _look_later(self) -> None:
        if self._later:
            self._later.cancel()
        self._later = self._loop.call_later(_QUIET, self.look)

    def _hand_over(self, found: Future[tuple[set[str], bool]]) -> None:
        """In the reading thread. A task would be left pending by a server that ends; nothing is by this."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._tell, found)

    def _tell(self, found: Future[tuple[set[str], bool]]) -> None:
        self._is_looking = False
        if found.cancelled():
            return
        try:
            jobs, sessions = found.result()
        except StoreError:  # whoever looks at the panel is told why
            self._look_later()
        else:
            if jobs or sessions:
                self._emit(data={"jobs": sorted(jobs), "sessions": sessions})
        if self._is_due:
            self.look()
        elif self._open and self._guard is None:
            self._guard = self._loop.call_later(_KEEPER_AFTER, self._ensure_keeper)

    def _ensure_keeper(self) -> None:
        """While jobs are open: somebody must follow those whose notebook's kernel has gone."""
        self._guard = None
        self._reading.submit(lambda: ensure_keeper(self._record, time.time()))
        self.look()

    def _remember(self) -> Mark:
        """In the reading thread: what is there before the first change."""
        store = self._record.store
        self._mark = mark = store.changes.find_mark()
        self._open = {job.id for job in store.changes.list_open_jobs()}
        self._sessions = _list_open(store)
        return mark

    def _find_changes(self) -> tuple[set[str], bool]:
        """In the reading thread: the jobs that have changed, and whether a session has."""
        store = self._record.store
        changes = store.changes.read_changes(self._mark or self._remember())
        self._mark = changes.mark
        touched = (changes.events.keys() | changes.jobs) - {""}
        rows = store.changes.find_jobs(self._open | touched)
        ended = {row.id for row in rows if row.id in self._open and not row.state.is_open}
        self._open = {row.id for row in rows if row.state.is_open}
        sessions = _list_open(store)
        has_changed, self._sessions = sessions != self._sessions, sessions
        return touched | ended, has_changed


def _make_starts_folder(directory: Path) -> Path:
    folder = Starts(directory).folder
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _list_open(store: EventStore) -> list[SessionRow]:
    return [row for row in store.list_sessions() if row.state.is_open]


def ensure_keeper(record: Record, now: float) -> bool:
    """Start the keeper if a job has been open for a while and there is none; whether it was started."""
    jobs = record.store.changes.list_open_jobs()
    if not any(now - job.created_at > _KEEPER_AFTER for job in jobs) or find_keeper():
        return False
    start_keeper()
    return True
