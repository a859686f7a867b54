"""Recovery: a session whose machine is lost goes on on another one, by itself.

Made by `session.engine`; in its loop. Called by the tenancy when a machine that this process uses is gone, and by the keeper for
sessions that nobody follows. One that was only stopped is waited for first, where the user wants that (`session.standstill`).
Promises: nothing is rented before the old machine is known to be gone (two listings without it, by the ledger); of several
processes one does it, the others follow; each machine, and each start of one, is a new epoch, begun by a compare-and-set in the
ledger, and what an older epoch still says is refused; it costs what the session's budget has left, and no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from choline_jupyter.errors import CholineError, SessionEnded
from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.ledger.file_lock import FileLock
from choline_jupyter.model.event import SUPERVISOR_RANK, Event, Kind, Series
from choline_jupyter.model.instance import InstanceRow
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.session import SessionRow, SessionState
from choline_jupyter.providers.provider import Provider
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.rebuilding import check_jobs, rebuild
from choline_jupyter.session.rent.fleet import Fleet, find_offer
from choline_jupyter.session.rent.halts import HALTED, Halt, find_storage
from choline_jupyter.session.rent.losses import find_waited, find_way_on, is_waited, note_end
from choline_jupyter.session.rent.meter import HOUR, render_money
from choline_jupyter.session.rent.session_money import add_up, find_rest
from choline_jupyter.session.rent.suppliers import load_rented
from choline_jupyter.session.report import render_duration
from choline_jupyter.session.spec import SessionSpec
from choline_jupyter.session.standstill import Standstill
from choline_jupyter.wire.frame import Type
from choline_jupyter.wire.record import encode_record

if TYPE_CHECKING:
    from choline_jupyter.session.engine import Engine

_PATIENCE = 5.0
_AGAIN = 0.5  # seconds between two looks at whether another process is done


class Way(NamedTuple):
    """How a session goes on: as it was opened, behind this machine, with these jobs."""

    spec: SessionSpec
    lost: InstanceRow
    jobs: Sequence[JobRow]


class _Running(NamedTuple):
    """What has a session go on: `stop` ends it, for the user; `lost` is the machine that it goes on from, while that is away."""

    stop: Callable[[], object]
    lost: str


class Recovery:
    """One engine's. No thread, no task of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: dict[str, _Running] = {}  # by session, what has it go on
        self._interrupted: set[str] = set()  # sessions whose user wants no other machine

    async def recover_machine(self, label: str) -> bool:
        """A machine that this process uses is gone: whether its session goes on elsewhere."""
        session = next((one for one in self._engine.sessions.values() if one.row.machine == label), None)
        running = self._running.get(session.row.id) if session else None
        if running and running.lost == label:
            return True
        if session and running:  # this is the machine that it was about to go on on: `running` looks for another
            session.suspend(running.stop)
            session.connection.abandon(SessionEnded("The machine that took its place was lost, too.", "Run it again."))
            return True
        return session is not None and await self.recover(session.row)

    async def recover(self, row: SessionRow, *, waits: bool = True) -> bool:
        """Have a session go on whose machine is gone; whether it does. Without `waits` what another process does is its."""
        lock = FileLock(self._engine.directory / f"recovery-{row.id}.lock")
        session = self._engine.sessions.get(row.id)
        self._interrupted.discard(row.id)
        try:
            await self._let_go(row)
            while not lock.seize(0):
                if not waits:
                    return False
                if session and row.id in self._interrupted:
                    session.end("it was interrupted")
                    return True
                await asyncio.sleep(_AGAIN)
            return await self._recover(row)
        finally:
            lock.close()

    async def _recover(self, row: SessionRow) -> bool:
        run = self._engine.tenancy.fleet.run
        now = await run(self._engine.store.find_session, row.id)
        session = self._engine.sessions.get(row.id)
        if now and now.epoch > row.epoch and now.state is SessionState.READY:
            return await self._join(session, now)
        stop = self._make_stop(row)
        try:
            while True:
                self._running[row.id] = _Running(stop, now.machine if now else row.machine)
                is_going_on = await self._try(now, stop)
                if is_going_on is not None:
                    return is_going_on
                now = await run(self._engine.store.find_session, row.id)  # the machine that took its place is lost, too
        finally:
            del self._running[row.id]

    async def _try(self, now: SessionRow | None, stop: Callable[[], object]) -> bool | None:
        """Have it go on behind the machine of this row; None where the one after it is gone as well."""
        run = self._engine.tenancy.fleet.run
        session = self._engine.sessions.get(now.id) if now else None
        way = await run(self._find_way, now) if now and now.state.is_open else None
        if now is None or way is None:
            if session and session.stop_recovery:
                session.end("its machine is gone")
            return False
        if session:
            session.suspend(stop)
        try:
            if now.id in self._interrupted:
                raise asyncio.CancelledError
            if not await self._stay(now, way, session, stop):
                await self._replace(now, way, session, stop)
        except asyncio.CancelledError as error:
            if way.lost.state in HALTED and now.id not in self._interrupted:
                raise  # this process ends: whoever comes next goes on waiting
            await self._give_up(now, way, error)
        except CholineError as error:
            if await run(self._can_go_on_again, now):
                return None
            await self._give_up(now, way, error)
        return True

    def _can_go_on_again(self, row: SessionRow) -> bool:
        """Whether another machine took the place of this row's and is lost, or this one was stopped again, and it can be done."""
        now = self._engine.store.find_session(row.id)
        way = self._find_way(now) if now and now.state.is_open else None
        if now is None or way is None:
            return False
        return now.machine != row.machine or (now.epoch > row.epoch and way.lost.state in HALTED)

    async def _let_go(self, row: SessionRow) -> None:
        """What this process had on a machine that was stopped is over, also when it runs again."""
        session, fleet = self._engine.sessions.get(row.id), self._engine.tenancy.fleet
        if session and not session.stop_recovery and await fleet.run(is_waited, fleet, self._engine.store, row.machine):
            session.suspend(lambda: self._interrupted.add(row.id))
            await self._engine.drop(session.row)

    async def _stay(self, row: SessionRow, way: Way, session: LiveSession | None, stop: Callable[[], object]) -> bool:
        """Whether it goes on on the machine that it had, which was stopped and runs again; else that one is gone."""
        engine, fleet = self._engine, self._engine.tenancy.fleet
        halt = await fleet.run(find_waited, fleet, engine.store, row)
        standstill = Standstill(engine, row, way.spec, _say)
        if way.lost.state not in HALTED:
            return False
        await fleet.run(self._check, row, way, session)
        machine = await standstill.outlast(_tell_halt(fleet, way.lost), halt)
        if machine is None and halt and halt.is_cut and fleet.clock() >= halt.until:
            raise SessionEnded(
                "Its budget and deadline leave nothing to go on with.", "Run it again with another budget."
            )
        if machine is None:
            _say(f"{way.lost.label} has not come back, and is gone with its disk")
            return False
        told = _tell_return(fleet, way.lost, halt)
        await standstill.hear_out(session)
        epoch = await self._begin(row)
        self._running[row.id] = _Running(stop, "")  # should it be stopped again
        session = await standstill.return_to(machine, epoch, session)
        session.stop_recovery = stop
        await rebuild(engine, session, way.jobs, f"{told}, going on ")
        session.stop_recovery = None
        return True

    def _make_stop(self, row: SessionRow) -> Callable[[], object]:
        """Ends, for the user, what the current task does for a session."""
        task = asyncio.current_task()
        assert task

        def stop() -> None:
            self._interrupted.add(row.id)
            task.cancel()

        return stop

    def _find_way(self, row: SessionRow) -> Way | None:
        fleet, store = self._engine.tenancy.fleet, self._engine.store
        found = find_way_on(fleet, store, row)
        is_standing = found is not None and found[1].state in HALTED
        jobs = [job for job in store.list_jobs(row.id) if job.state.is_open]
        jobs.sort(key=lambda job: job.created_at)
        if not found or (row.machine in fleet.ledger.list_labels(open_only=True) and not is_standing):
            return None
        return Way(*found, jobs)

    async def _join(self, session: LiveSession | None, row: SessionRow) -> bool:
        """Another process has had it go on."""
        if session:
            session.suspend(lambda: None)
            if row.machine == session.row.machine:  # it was stopped, and runs again
                await self._engine.drop(session.row)
            else:
                await self._leave(session, row.epoch)
            session.go_on(row, await self._engine.reach(row))
            session.stop_recovery = None
            session.follow({})
        return True

    async def _replace(
        self, row: SessionRow, way: Way, session: LiveSession | None, stop: Callable[[], object]
    ) -> None:
        engine = self._engine
        fleet = engine.tenancy.fleet
        await fleet.run(self._check, row, way, session)
        told = await fleet.run(_tell_loss, fleet, way.lost)
        _say(f"{told}; looking for another")
        epoch = await self._begin(row)
        if session:
            await self._leave(session, epoch)
        rest = await fleet.run(find_rest, fleet, way.lost, way.spec.rent.limits) if way.spec.rent else None
        if rest is None or way.spec.rent is None:
            raise SessionEnded("Nothing of its budget is left.", "Run it again with another budget.")
        agreed = dataclasses.replace(rest, is_agreed=True)  # to the session's budget as a whole, when it began
        spec = dataclasses.replace(way.spec, rent=dataclasses.replace(way.spec.rent, limits=agreed))
        allows = await fleet.run(_make_filter, way.lost)
        [new] = await engine.rent([spec], [row.id], epoch, allows)
        session = await engine.settle(new, spec, session)
        session.stop_recovery = stop
        place = await fleet.run(_describe_place, fleet, new)
        await rebuild(engine, session, way.jobs, f"{told}; continuing on {place} ")
        session.stop_recovery = None

    def _check(self, row: SessionRow, way: Way, session: LiveSession | None) -> None:
        why = session.typed.lacks if session else ""
        why = why or check_jobs(self._engine.directory, row.id, way.jobs, session.secrets if session else {})
        if why:
            raise SessionEnded(f"{why}.", "Run it again.")

    async def _begin(self, row: SessionRow) -> int:
        """The next epoch: what has come so far counts; what comes from now on is refused. Raises SessionEnded."""
        fleet, store = self._engine.tenancy.fleet, self._engine.store
        epoch = await fleet.run(_begin_epoch, fleet, row)
        await fleet.run(store.flush)
        store.save_session(dataclasses.replace(row, epoch=epoch, state=SessionState.LOST))
        await fleet.run(store.flush)
        return epoch

    async def _leave(self, session: LiveSession, epoch: int) -> None:
        """Let go of the way to a machine that is lost; one that is there after all hears that it is not needed any more."""
        if session.connection.is_connected:
            wish = {"session": session.row.id, "epoch": epoch}
            with contextlib.suppress(CholineError, asyncio.TimeoutError):
                await asyncio.wait_for(session.connection.request(Type.STOP, wish), _PATIENCE)
        await self._engine.drop(session.row)

    async def _give_up(self, row: SessionRow, way: Way, error: BaseException) -> None:
        """It ends, with what there is to say of it; what was rented for it is ended by whoever rented it."""
        engine = self._engine
        session, run = engine.sessions.pop(row.id, None), engine.tenancy.fleet.run
        reason = "it was interrupted" if isinstance(error, asyncio.CancelledError) else str(error)
        said = f"{_tell_loss(engine.tenancy.fleet, way.lost)}, and it does not go on elsewhere: {reason}"
        await run(_note_reason, engine.store, row.id, said)
        if session:
            session.end(said)
            if session.row.machine != row.machine:
                with contextlib.suppress(CholineError):
                    await engine.tenancy.release(session.row.machine)
        now = await run(engine.store.find_session, row.id)
        await run(note_end, engine.tenancy.fleet, engine.store, now or row)
        if way.lost.state in HALTED:
            _say(await Standstill(engine, row, way.spec, _say).end())


def _begin_epoch(fleet: Fleet, row: SessionRow) -> int:
    """The number of the next epoch, which is this process's alone. Raises SessionEnded."""
    known = max(fleet.ledger.find_epoch(row.id), row.epoch)
    while fleet.ledger.find_epoch(row.id) < row.epoch:
        fleet.ledger.advance_epoch(row.id, fleet.ledger.find_epoch(row.id))
    if not fleet.ledger.advance_epoch(row.id, known):
        raise SessionEnded("Another process has it go on.", "`choline status` shows where.")
    return known + 1


def _note_reason(store: EventStore, session: str, reason: str) -> None:
    """Why its jobs end, among what they have put out, for whoever looks at them later."""
    row = store.find_session(session)
    jobs = [job for job in store.list_jobs(session) if job.state.is_open]
    if row is None:
        return
    series = Series(row.id, row.epoch, SUPERVISOR_RANK)
    last = store.find_contiguous(row.id).get(series, 0)
    content = json.dumps({"state": "died", "stopped": reason.rstrip(".")}).encode()
    for seq, job in enumerate(jobs, last + 1):
        event = Event(series, seq, Kind.STATE, job.id, job.attempt, time.time(), content=content)
        parts = [event.header, event.parent, event.metadata, content]
        store.put(event, b"".join(encode_record(seq, event.kind, job.id, job.attempt, event.at, parts)))


def _make_filter(lost: InstanceRow) -> Callable[[Provider], bool]:
    """Which providers need no consent that was not given: machines that need this laptop are taken where the lost one did."""
    needed = {one.name for one in load_rented(is_any=True) if one.needs_laptop}
    return lambda provider: not provider.needs_laptop or lost.provider in needed


def _tell_halt(fleet: Fleet, machine: InstanceRow) -> str:
    spent = render_money(add_up(fleet, machine.session).spent.total)
    why = fleet.reasons.get(machine.label, "stopped")
    return f"{_name(machine)} was {why} after {render_duration(fleet.clock() - machine.created_at)}, {spent} so far"


def _tell_return(fleet: Fleet, machine: InstanceRow, halt: Halt | None) -> str:
    seconds = max(0.0, fleet.clock() - halt.since) if halt else 0.0
    storage = render_money(find_storage(machine) * seconds / HOUR)
    why = fleet.reasons.get(machine.label, "stopped")
    return f"{_name(machine)} was {why}, stood for {render_duration(seconds)} ({storage} for its disk) and runs again"


def _name(machine: InstanceRow) -> str:
    return f"{find_offer(machine).gpus or 'the machine'} on {machine.provider} ({machine.label})"


def _tell_loss(fleet: Fleet, lost: InstanceRow) -> str:
    seconds = (lost.ended_at or fleet.clock()) - lost.created_at
    spent = render_money(add_up(fleet, lost.session).spent.total)
    why = fleet.reasons.get(lost.label, "gone")
    return f"{_name(lost)} was lost ({why}) after {render_duration(seconds)}, {spent} so far"


def _describe_place(fleet: Fleet, row: SessionRow) -> str:
    machine = next(one for one in fleet.list_open() if one.label == row.machine)
    return f"{fleet.describe(machine)} ({machine.label})"


def _say(text: str) -> None:
    sys.stderr.write(f"choline: {text}.\n")
    sys.stderr.flush()
