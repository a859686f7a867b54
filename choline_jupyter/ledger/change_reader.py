"""What is new in the event store since somebody last looked, at the cost of what is new and not of what is there.

Used by the server extension through `ledger.event_store`. A look is two index ranges: events arrive with growing
numbers, and a job's row keeps its number for ever.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from choline_jupyter.ledger.database import Database
from choline_jupyter.ledger.rows import JOBS
from choline_jupyter.model.event import Kind
from choline_jupyter.model.job import JobRow

_NEW_EVENTS = "SELECT job, kind FROM event WHERE arrival > ? AND arrival <= ? GROUP BY job, kind"
_NEW_JOBS = "SELECT id FROM job WHERE rowid > ? AND rowid <= ?"
_ENDS = "SELECT (SELECT coalesce(max(arrival), 0) FROM event), (SELECT coalesce(max(rowid), 0) FROM job)"
_BY_JOB_ID = 500  # SQLite's oldest limit of values in one statement is 999


class Mark(NamedTuple):
    """Up to where somebody has looked."""

    arrival: int = 0
    job: int = 0


class Changes(NamedTuple):
    """What came between two marks: the kinds of new events by job (empty: of no job), and the jobs that are new."""

    mark: Mark
    events: dict[str, set[Kind]]
    jobs: set[str]


class ChangeReader:
    """Reads from `database`; any thread may use it. All methods raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_mark(self) -> Mark:
        """Where the store ends now."""
        return Mark(*self._database.fetch(_ENDS)[0])

    def read_changes(self, since: Mark) -> Changes:
        """What has come since. A store that was begun anew is taken from its beginning."""
        now = self.find_mark()
        first = since if now.arrival >= since.arrival and now.job >= since.job else Mark()
        events: dict[str, set[Kind]] = {}
        for job, kind in self._database.fetch(_NEW_EVENTS, (first.arrival, now.arrival)):
            events.setdefault(job, set()).add(Kind(kind))
        jobs = {job for (job,) in self._database.fetch(_NEW_JOBS, (first.job, now.job))}
        return Changes(now, events, jobs)

    def find_jobs(self, ids: Collection[str]) -> list[JobRow]:
        """The jobs of these ids, as far as there are such."""
        wanted, rows = sorted(ids), []
        for start in range(0, len(wanted), _BY_JOB_ID):
            part = wanted[start : start + _BY_JOB_ID]
            marks = ", ".join("?" * len(part))
            rows += self._database.fetch(f"{JOBS.select} WHERE id IN ({marks})", part)
        return [JOBS.decode(row) for row in rows]

    def list_jobs_before(self, created_at: float, limit: int) -> list[JobRow]:
        """Jobs that were made before that time, newest first."""
        statement = f"{JOBS.select} WHERE created_at < ? ORDER BY created_at DESC, id DESC LIMIT ?"
        return [JOBS.decode(row) for row in self._database.fetch(statement, (created_at, limit))]

    def list_open_jobs(self) -> list[JobRow]:
        """The jobs that have not ended, as far as is known here."""
        return [JOBS.decode(row) for row in self._database.fetch(f"{JOBS.select} WHERE state IN ('queued', 'running')")]
