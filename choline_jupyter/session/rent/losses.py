"""What is lost with a machine that is gone, and what of it goes on elsewhere.

Called wherever ledger and provider have been made to agree. A session that may go on is only noted as lost: whoever follows it,
or the keeper, has it go on (`session.recovery`). Any other ends here, too, and its jobs that had not ended.
"""

from __future__ import annotations

import dataclasses

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.instance import InstanceRow
from choline_jupyter.model.job import JobState
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.halts import HALTED, Halt, find_halt, find_start
from choline_jupyter.session.rent.limits import STOP, WAIT
from choline_jupyter.session.rent.session_money import find_rest
from choline_jupyter.session.rent.suppliers import can_stand
from choline_jupyter.session.sent_jobs import SentJobs
from choline_jupyter.session.spec import SessionSpec


def note_losses(fleet: Fleet, store: EventStore) -> list[SessionRow]:
    """Note the sessions whose machines are gone, or halted and waited for, and give those of the former that go on elsewhere."""
    alive = {row.label for row in fleet.list_open()}
    known = {row.label for row in fleet.ledger.list_instances()}
    lost = [row for row in store.list_sessions() if _is_lost(row, alive, known)]
    going_on = [row for row in lost if find_way_on(fleet, store, row)]
    for row in lost:
        if row not in going_on:
            note_end(fleet, store, row)
    waited = [row for row in store.list_sessions() if find_waited(fleet, store, row)]
    for row in [*going_on, *waited]:
        if row.state is not SessionState.LOST:
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
    """Machines that stand and are to be ended, their disks too: while a job ran there those that nobody waits for, before another
    takes their place; any other when it has stood for as long as it may be idle, because it cannot end itself.
    """
    halted = {row.label: row for row in fleet.list_open(provider) if row.state in HALTED}
    rows = [row for row in store.list_sessions() if row.state.is_open and row.machine in halted] if halted else []
    busy = {row.machine: row for row in rows if _is_busy(store, row)}
    unwanted = {label for label, row in busy.items() if not find_waited(fleet, store, row)}
    spent = {label for label, machine in halted.items() if label not in busy and _has_stood(fleet, machine)}
    return [halted[label] for label in sorted(unwanted | spent)]


def find_waited(fleet: Fleet, store: EventStore, row: SessionRow) -> Halt | None:
    """The halt of a session's machine while it is waited for: its user wants that, a job had not ended, its time is not over."""
    machine = find_machine(fleet, row) if row.state.is_open and row.trust is not Trust.OWN else None
    if machine is None or machine.state not in HALTED or not can_stand(machine.provider):
        return None
    spec = SentJobs(store.directory, row.id).load_spec()
    if spec is None or spec.rent is None or spec.rent.on_loss != WAIT or not _is_busy(store, row):
        return None
    halt = find_halt(fleet, machine, spec.rent.wait)
    return halt if fleet.clock() < halt.until else None


def is_waited(fleet: Fleet, store: EventStore, label: str) -> bool:
    """Whether the machine of this label is."""
    return any(row.machine == label and find_waited(fleet, store, row) for row in store.list_sessions())


def _has_stood(fleet: Fleet, machine: InstanceRow) -> bool:
    since = find_start(fleet.ledger.money.list_periods(machine.id))
    return since is not None and fleet.clock() - since > machine.lease + machine.hold


def _is_busy(store: EventStore, row: SessionRow) -> bool:
    return any(job.state.is_open for job in store.list_jobs(row.id))


def _is_lost(row: SessionRow, alive: set[str], known: set[str]) -> bool:
    return row.state.is_open and row.trust is not Trust.OWN and row.machine in known - alive
