"""What is lost with a machine that is gone: its session ends here, too, and its jobs that had not ended.

Called wherever ledger and provider have been made to agree.
"""

from __future__ import annotations

import dataclasses

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.job import JobState
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.session.rent.fleet import Fleet


def note_losses(fleet: Fleet, store: EventStore) -> list[SessionRow]:
    """Note the sessions whose machines are gone, and give them."""
    alive = {row.label for row in fleet.list_open()}
    known = {row.label for row in fleet.ledger.list_instances()}
    lost = [row for row in store.list_sessions() if _is_lost(row, alive, known)]
    for row in lost:
        store.save_session(dataclasses.replace(row, state=SessionState.STOPPED))
        for job in store.list_jobs(row.id):
            if job.state.is_open:
                store.save_job(dataclasses.replace(job, state=JobState.LOST, ended_at=fleet.clock()))
    return lost


def _is_lost(row: SessionRow, alive: set[str], known: set[str]) -> bool:
    return row.state.is_open and row.trust is not Trust.OWN and row.machine in known - alive
