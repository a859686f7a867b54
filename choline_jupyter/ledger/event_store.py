"""The event store: what jobs printed, and which jobs and sessions there were, kept behind the screen.

Called by `session` (which puts every event it receives and acknowledges those that `on_stored` names), by the magics,
the server extension and the command (which replay). Promises: `put` never blocks; a seq is called stored only when all
before it are, whichever processes brought them, and when a crash of any process can no longer lose it; replay shows
each event once, in the order in which it was first shown.

A commit outlives any process at once, a power cut after some seconds (synchronous = NORMAL). What a power cut takes
back, `find_contiguous` no longer counts, and the journal, which keeps acknowledged events for days, sends it again.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from choline_jupyter.ledger.blob_folder import BlobFolder
from choline_jupyter.ledger.change_reader import ChangeReader
from choline_jupyter.ledger.database import Database
from choline_jupyter.ledger.event_batch import Entry, Gap, Item, Saving, save_job, save_session
from choline_jupyter.ledger.event_queue import LIMITS, EventQueue, Limits
from choline_jupyter.ledger.event_reader import EventReader
from choline_jupyter.ledger.event_schema import SCHEMA
from choline_jupyter.ledger.event_writer import EventWriter, OnFailure, OnStored
from choline_jupyter.ledger.eviction import Evictor
from choline_jupyter.ledger.rows import JOBS, SESSIONS, clip_text
from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.session import SessionRow
from choline_jupyter.wire.record import Buffer

FILE_NAME = "events.db"
SIZE_LIMIT = 2 << 30
_PATIENCE = 2.0  # seconds that a reader waits for the writer
_ROW_SIZE = 1024  # what a job or session row counts in the queue, in bytes
_OVERHEAD = 400  # what an event counts beside its record


class EventStore:
    """The store in `directory`. Owns one thread, which starts with the first put and ends with `close`.

    Any thread may call any method. `put`, `skip`, `save_session` and `save_job` return at once, so an event loop may
    call them too; all others but `wait_for_room` go to the disk and belong in a thread. The readers see what was put
    before, and raise StoreError. The callbacks run on the store's thread: `on_stored(series, seq)` after each commit
    that touched the series (`REFUSED` for one of
    an epoch that is over), `on_failure(sentence)` when storing begins to fail for a reason, and with an empty
    sentence when it works again. `size_limit` is in bytes; beyond it finished jobs lose their output, least recently
    used first.
    """

    def __init__(
        self,
        directory: Path,
        on_stored: OnStored = lambda _series, _seq: None,
        on_failure: OnFailure = lambda _sentence: None,
        size_limit: int = SIZE_LIMIT,
        limits: Limits = LIMITS,
    ) -> None:
        self.directory = directory
        self._database = Database(directory / FILE_NAME, SCHEMA)
        blobs = BlobFolder(directory / "blobs")
        self._reader = EventReader(self._database, blobs)
        self.changes = ChangeReader(self._database)
        self._queue: EventQueue[Item] = EventQueue(limits)
        evictor = Evictor(self._database, blobs, size_limit)
        self._writer = EventWriter(self._database, blobs, self._queue, on_stored, on_failure, evictor)
        self._starting = threading.Lock()
        self._process = os.getpid()  # a fork has neither the thread nor the connections
        self._is_started = False
        atexit.register(self.close)  # now, so that an owner who registers later may still put something then

    @property
    def notice(self) -> str:
        """One sentence for the user about the file, empty when all is well."""
        return self._database.notice

    @property
    def failure(self) -> str:
        """Why nothing is being stored now, empty when it is."""
        return self._writer.failure

    def put(self, event: Event, record: Buffer) -> bool:
        """Have an event stored. Returns at once; False means that it was not taken, because 64 MB wait already.

        Then wait for room and put it again, or, when showing must go on, leave it out: it is not acknowledged, so the
        journal keeps it, and following the series anew from `find_contiguous` brings it back. Raises ValueError for a
        seq that no journal can have written, StoreError after `close`.
        """
        if not 0 < event.seq < 1 << 63:
            raise ValueError(f"an event with seq {event.seq}")
        entry = Entry(event.series, event.seq, event.job, event.attempt, int(event.kind), event.at, record)
        return self._put(entry, len(record) + _OVERHEAD, force=False)

    async def wait_for_room(self) -> None:
        """Return when `put` would take what it refused, or the store is closed."""
        loop = asyncio.get_running_loop()
        room: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not room.done():
                room.set_result(None)

        def wake_loop() -> None:
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(settle)

        self._queue.call_when_room(wake_loop)
        await room

    def skip(self, series: Series, first: int, last: int) -> None:
        """Note that these seqs, both inclusive, will never come: the journal has lost them. Returns at once."""
        self._put(Gap(series, first, last), _ROW_SIZE, force=True)

    def save_session(self, session: SessionRow) -> None:
        """Have a session stored, new or changed; an older epoch changes nothing. Returns at once; raises ValueError."""
        self._put(save_session(session), _ROW_SIZE, force=True)

    def save_job(self, job: JobRow) -> None:
        """Have a job stored, new or changed; one that has ended is not opened again but by a new attempt.

        Returns at once; raises ValueError.
        """
        self._put(save_job(job), _ROW_SIZE, force=True)

    def read_job(self, job: str, after: Mapping[Series, int] | None = None) -> Iterator[Event]:
        """Replay a job: its events as they first arrived, of each series those past the seq in `after`."""
        self._settle()
        self._note_use(job)
        return self._reader.read_job(job, after or {})

    def read_last(self, job: str, kinds: Collection[Kind], count: int) -> list[Event]:
        """Of each series the last `count` events of a job that are of these kinds, in the order in which they came."""
        self._settle()
        return self._reader.read_last(job, kinds, count)

    def glance_at_job(self, job: str, after: Mapping[Series, int]) -> Iterator[Event]:
        """As `read_job`, but it is no use of the job's output, and nothing is written."""
        self._settle()
        return self._reader.read_job(job, after)

    def read_series(self, series: Series, after: int = 0) -> Iterator[Event]:
        """The events of one series past `after`, by seq."""
        self._settle()
        return self._reader.read_series(series, after)

    def find_contiguous(self, session: str) -> dict[Series, int]:
        """Up to which seq each series of the session (its id) is stored without a hole; where to follow from."""
        self._settle()
        return self._reader.find_contiguous(session)

    def list_sessions(self) -> list[SessionRow]:
        """All sessions, newest first."""
        self._settle()
        rows = self._database.fetch(SESSIONS.select + " ORDER BY created_at DESC, id DESC")
        return [SESSIONS.decode(row) for row in rows]

    def find_session(self, name: str) -> SessionRow | None:
        """The newest session of that name or id."""
        return next((row for row in self.list_sessions() if name in (row.name, row.id)), None)

    def list_jobs(self, session: str | None = None, notebook: str | None = None, limit: int = 100) -> list[JobRow]:
        """Jobs, newest first: all, those of a session (its id), of a notebook (its path), or of both."""
        self._settle()
        wanted = {"session": session, "notebook": None if notebook is None else clip_text(notebook)}
        statement = (
            f"{JOBS.select} WHERE coalesce(session = :session, 1) AND coalesce(notebook = :notebook, 1)"
            " ORDER BY created_at DESC, id DESC LIMIT :limit"
        )
        return [JOBS.decode(row) for row in self._database.fetch(statement, {**wanted, "limit": limit})]

    def find_job(self, prefix: str) -> JobRow | None:
        """The job whose id begins so; raises StoreError when several do."""
        self._settle()
        statement = JOBS.select + " WHERE substr(id, 1, length(?)) = ? ORDER BY id = ? DESC, id LIMIT 3"
        jobs = [JOBS.decode(row) for row in self._database.fetch(statement, (prefix, prefix, prefix))]
        if len(jobs) > 1 and jobs[0].id != prefix:
            names = ", ".join(job.id for job in jobs)
            raise StoreError(f"Several jobs begin with {prefix}: {names}.", "Give some more letters.")
        return jobs[0] if jobs else None

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was put so far is stored; False when it was not in `timeout` seconds."""
        return self._writer.is_current_thread() or self._queue.drain(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Store what waits, for `timeout` seconds at most, and end the thread; False when something was left out.

        What is left out has not been acknowledged: the journal has it still.
        """
        if self._process != os.getpid():
            return True
        is_stored = self.flush(0 if self.failure else timeout)
        self._queue.close()
        atexit.unregister(self.close)
        if self._is_started:
            self._writer.join(timeout)
        self._database.close()
        return is_stored

    def _put(self, item: Entry | Gap | Saving, size: int, *, force: bool) -> bool:
        is_taken = self._queue.put(item, size, force=force)
        if not self._is_started:
            self._start()
        return is_taken

    def _start(self) -> None:
        with self._starting:
            if not self._is_started:
                self._is_started = True
                self._writer.start()

    def _settle(self) -> None:
        """Let a reader see what was put before it came, unless the disk is in trouble."""
        if not self.failure:
            self.flush(_PATIENCE)

    def _note_use(self, job: str) -> None:
        """What is looked at is evicted last. A store that can only be read is no reason not to read it."""
        with suppress(StoreError), self._database.transaction() as connection:
            connection.execute("UPDATE job SET read_at = ? WHERE id = ?", (time.time(), job))
