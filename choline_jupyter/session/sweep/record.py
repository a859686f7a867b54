"""A sweep that another process has started, as the event store knows it: its jobs by their names, and how far they are.

Called by `magic.sweep` to go on with it after the notebook's kernel was restarted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.session.job_end import is_end
from choline_jupyter.session.sweep.grid import MOST, Parameters, describe, read_description
from choline_jupyter.session.sweep.job import SweepJob

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.event import Series

_NAME = re.compile(r"(w-[0-9a-z-]+) (\d+): (.*)\Z", re.DOTALL)
_LENGTH = 1000


def is_sweep(name: str) -> bool:
    """Whether a name is of a sweep and not of a job."""
    return name.startswith("w-")


def name_job(sweep: str, job: SweepJob) -> str:
    """What its row is called."""
    return f"{sweep} {job.number}: {describe(job.parameters)}"[:_LENGTH]


def read_sweep(store: EventStore, prefix: str) -> tuple[str, list[SweepJob], dict[str, list[SweepJob]]]:
    """The newest sweep whose name begins so: its name, all jobs by number, and by session those that are open."""
    rows = [(row, match) for row in store.list_jobs(limit=4 * MOST) if (match := _NAME.match(row.name))]
    name = next((match[1] for _, match in rows if match[1].startswith(prefix)), "")
    jobs: dict[int, SweepJob] = {}
    sessions: dict[str, list[SweepJob]] = {}
    places = {row.id: row.machine for row in store.list_sessions()}
    for row, match in rows:  # newest first: the last attempt of each
        number = int(match[2])
        if match[1] == name and number not in jobs:
            jobs[number] = _make_job(row, number, read_description(match[3]), places.get(row.session, ""))
            if row.state.is_open:
                sessions.setdefault(row.session, []).insert(0, jobs[number])
            else:
                read_events(store, jobs[number])
    return name, [job for _, job in sorted(jobs.items())], sessions


def read_events(store: EventStore, job: SweepJob, seen: Mapping[Series, int] | None = None) -> None:
    """Have a job know what is stored of it, up to what was `seen` of each series where not all counts."""
    for event in store.read_job(job.id):
        if seen is None or event.seq <= seen.get(event.series, 0):
            job.read(event)
            if is_end(event) and job.state.is_open:
                reply = event.read_content().get("reply") or {}
                job.end(JobState.DONE if reply.get("status") == "ok" else JobState.FAILED, str(reply.get("evalue", "")))


def _make_job(row: JobRow, number: int, parameters: Parameters, where: str) -> SweepJob:
    job = SweepJob(number, parameters, row.code, row.id, row.state, where, row.attempt)
    job.started_at, job.ended_at = row.started_at, row.ended_at
    if row.state is JobState.FAILED:
        job.trouble = f"{row.ename}: {row.evalue}".split("\n")[0][:200]
    return job
