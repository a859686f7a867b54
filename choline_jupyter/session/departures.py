"""Departures: a rented machine ends when its session is over, with nobody there who would end it.

Used by the keeper, in its loop: for scripts that were detached, however they ended, and for those whose command is gone.
Promises: what they have made is home before; a machine that holds what was told to stay there (`--no-pull`) stays until its lease
ends, and so does one whose files cannot be had; no session that a notebook may still use is touched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from choline_jupyter.errors import CholineError
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.session import SessionState
from choline_jupyter.session.rent.fleet import USABLE, Fleet
from choline_jupyter.session.sent_jobs import SentJobs

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.engine import Engine

_GOODBYE = 3600.0  # seconds that a store may take for what is left
_LATE = 600.0  # seconds after which a command that would end its own machine must be gone


class Departures:
    """Owns a task for each session whose machine is being ended."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def look(self, followed: Collection[str]) -> None:
        """Begin with those whose time it is; what did not work is tried again the next time. `followed` is heard here."""
        fleet = self._engine.tenancy.fleet
        if not fleet.is_used:
            return
        for row in await fleet.run(list_over, fleet, self._engine.store, followed):
            if row.id not in self._tasks or self._tasks[row.id].done():
                self._tasks[row.id] = asyncio.ensure_future(self._depart(row, row.id in followed))

    async def _depart(self, row: SessionRow, is_followed: bool) -> None:
        """What its jobs have announced comes home, then its machine ends."""
        engine = self._engine
        announced = await engine.tenancy.fleet.run(_list_announced, engine.store, row)
        if any(_stays(event) for event in announced):
            return
        with suppress(CholineError):
            session = await engine.join(row, follow=False)
            if announced and not is_followed:  # whoever heard of them may have been ended before they were here
                await session.pull(announced)
            await session.finish_fetches()
            await asyncio.get_running_loop().run_in_executor(None, session.checkpoints.uploads.wait, _GOODBYE)
            await engine.stop(row)


def list_over(fleet: Fleet, store: EventStore, followed: Collection[str]) -> list[SessionRow]:
    """Sessions that are over while their machine is not; each was left alone with its jobs, or is `followed` here."""
    labels = {row.label for row in fleet.list_open() if row.state in USABLE}
    if not labels:
        return []
    rows = [row for row in store.list_sessions() if row.machine in labels]
    return [row for row in rows if _is_over(store, row, is_ours=row.id in followed)]


def _is_over(store: EventStore, row: SessionRow, *, is_ours: bool) -> bool:
    """It has said so, or its one job has ended: a script's session has no other, whoever has heard of its end."""
    jobs = store.list_jobs(row.id)
    if not jobs or not all(_is_left(job, is_ours=is_ours) for job in jobs):
        return False
    spec = SentJobs(store.directory, row.id).load_spec()
    return row.state is SessionState.STOPPED or bool(spec and spec.command)


def _is_left(job: JobRow, *, is_ours: bool) -> bool:
    """It has ended, and whoever started it had left it, or has had time enough to do what there was to do."""
    if job.state.is_open:
        return False
    return job.detached or (is_ours and time.time() - (job.ended_at or time.time()) > _LATE)


def _list_announced(store: EventStore, row: SessionRow) -> list[Event]:
    """Files and checkpoints that this machine has told of."""
    events = [event for job in store.list_jobs(row.id) for event in store.read_job(job.id)]
    kinds = (Kind.ARTIFACT, Kind.CHECKPOINT)
    return [event for event in events if event.kind in kinds and event.series.epoch == row.epoch]


def _stays(event: Event) -> bool:
    """Whether it tells of files that the user did not want here yet."""
    told = event.read_content() if event.kind is Kind.ARTIFACT else {}
    return bool("root" in told and not told.get("pull") and told.get("files"))
