"""What is lost with a machine that is gone, and what of it goes on elsewhere.

Called wherever ledger and provider have been made to agree. A session that may go on is only noted as lost: whoever follows it,
or the keeper, has it go on (`session.recovery`). Any other ends here, too, and its jobs that had not ended.
"""

from __future__ import annotations

import dataclasses

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.job import JobState
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.limits import STOP
from choline_jupyter.session.rent.session_money import find_rest
from choline_jupyter.session.sent_jobs import SentJobs
from choline_jupyter.session.spec import SessionSpec

_HALTED = (InstanceState.PREEMPTED, InstanceState.STOPPED)


def note_losses(fleet: Fleet, store: EventStore) -> list[SessionRow]:
    """Note the sessions whose machines are gone, and give those that go on elsewhere."""
    alive = {row.label for row in fleet.list_open()}
    known = {row.label for row in fleet.ledger.list_instances()}
    lost = [row for row in store.list_sessions() if _is_lost(row, alive, known)]
    going_on = [row for row in lost if find_way_on(fleet, store, row)]
    for row in lost:
        if row not in going_on:
            note_end(fleet, store, row)
        elif row.state is not SessionState.LOST:
            store.save_session(dataclasses.replace(row, state=SessionState.LOST))
    return going_on


def note_end(fleet: Fleet, store: EventStore, row: SessionRow) -> None:
    """A session ends with its machine."""
    store.save_session(dataclasses.replace(row, state=SessionState.STOPPED))
    SentJobs(store.directory, row.id).remove()
    for job in store.list_jobs(row.id):
        if job.state.is_open:
            store.save_job(dataclasses.replace(job, state=JobState.LOST, ended_at=fleet.clock()))


def find_way_on(fleet: Fleet, store: EventStore, row: SessionRow) -> tuple[SessionSpec, InstanceRow] | None:
    """With what, and behind which machine, a session goes on elsewhere: a job had not ended, its budget has something left,
    and the user has not said otherwise. None for one that ends.
    """
    spec, machine = SentJobs(store.directory, row.id).load_spec(), find_machine(fleet, row)
    if spec is None or spec.rent is None or machine is None or spec.rent.on_loss == STOP:
        return None
    return (spec, machine) if _is_busy(store, row) and find_rest(fleet, machine, spec.rent.limits) else None


def find_machine(fleet: Fleet, row: SessionRow) -> InstanceRow | None:
    """The machine that a session lives on, or has lived on."""
    return next((one for one in fleet.ledger.list_of_session(row.id) if one.label == row.machine), None)


def list_halted(fleet: Fleet, store: EventStore, provider: str) -> list[InstanceRow]:
    """Machines that were taken away while a job ran; each is ended, its disk too, before another takes its place."""
    halted = {row.label: row for row in fleet.list_open(provider) if row.state in _HALTED}
    rows = [row for row in store.list_sessions() if row.state.is_open and row.machine in halted] if halted else []
    return [halted[row.machine] for row in rows if _is_busy(store, row)]


def _is_busy(store: EventStore, row: SessionRow) -> bool:
    return any(job.state.is_open for job in store.list_jobs(row.id))


def _is_lost(row: SessionRow, alive: set[str], known: set[str]) -> bool:
    return row.state.is_open and row.trust is not Trust.OWN and row.machine in known - alive
