"""The job rows of one session: what the store has of them, and what was told since.

Made by `session.live`, used in the engine's loop.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.model.job import JobState
from choline_jupyter.session.job_end import ENDINGS
from choline_jupyter.session.job_record import close_job

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.event import Event
    from choline_jupyter.model.job import JobRow


class JobRows:
    """`session` is the session's id. Open rows are kept here, only as long as more may happen to them."""

    def __init__(self, store: EventStore, session: str) -> None:
        self._store, self._session = store, session
        self._open: dict[str, JobRow] = {}

    def begin(self, job: JobRow, code: str) -> None:
        """A job is being sent; one that is sent again began when it first was."""
        digest, now = hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest(), time.time()
        job = dataclasses.replace(job, created_at=job.created_at or now, started_at=job.started_at or now)
        self.save(dataclasses.replace(job, code=code, code_digest=digest, state=JobState.RUNNING))

    def cancel(self, job: str) -> None:
        """It has not been run."""
        row = self.find(job)
        if row:
            self.save(dataclasses.replace(row, state=JobState.CANCELLED, ended_at=time.time()))

    def save(self, row: JobRow) -> None:
        """A row, new or changed."""
        if row.state.is_open:
            self._open[row.id] = row
        else:
            self._open.pop(row.id, None)
        self._store.save_job(row)

    def find(self, job: str) -> JobRow | None:
        """A row, also of a job that another process has sent."""
        if job in self._open:
            return self._open[job]
        with suppress(StoreError):
            return self._store.find_job(job)
        return None

    def list_open(self) -> list[JobRow]:
        """The jobs that have not ended, oldest first."""
        rows: dict[str, JobRow] = {}
        with suppress(StoreError):
            rows = {row.id: row for row in self._store.list_jobs(self._session)}
        return sorted(
            (row for row in (rows | self._open).values() if row.state.is_open), key=lambda row: row.created_at
        )

    def note(self, row: JobRow, event: Event, fact: dict[str, Any]) -> None:
        """A job has changed its state."""
        if fact.get("state") == "done":
            row = close_job(row, fact["reply"], event.at)
        elif fact.get("state") == "begun":
            row = dataclasses.replace(row, started_at=event.at)
        elif fact.get("state") in ENDINGS and row.state.is_open:
            row = dataclasses.replace(row, state=ENDINGS[fact["state"]], ended_at=event.at, status="error")
        self.save(row)
