"""A job: one run of one cell or script in a session.

Made by `session`, stored by `ledger.event_store`, shown by `choline status` and `choline runs`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Optional


class JobState(str, enum.Enum):
    """Where a job stands. `lost` means that its machine died before it ended; another attempt may follow."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether output may still come without anyone asking for another attempt."""
        return self in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class JobRow:
    """One job as the client last knew it; times are in seconds since the epoch, None while they have not come.

    `session` is the session's id. `code_digest` is the SHA-256 of the whole code, `code` its text, of which the event
    store keeps the first 64 KiB. `notebook` is the path of the notebook and `cell_id` the cell, both empty for
    scripts. `status` is that of the kernel's execute reply (ok, error, aborted), `ename` and `evalue` its error.
    `evicted` is set by the event store alone: the job's output has been deleted to make room.
    """

    id: str
    session: str
    name: str = ""
    attempt: int = 1
    state: JobState = JobState.QUEUED
    code_digest: str = ""
    code: str = ""
    notebook: str = ""
    cell_id: str = ""
    created_at: float = 0.0
    started_at: Optional[float] = None
    ended_at: Optional[float] = None
    detached: bool = False
    status: str = ""
    ename: str = ""
    evalue: str = ""
    execution_count: Optional[int] = None
    evicted: bool = False
