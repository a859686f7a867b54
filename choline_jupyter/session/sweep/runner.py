"""The runner of a sweep: sends its jobs to sessions, hears of them, moves those that wait and repeats those that were lost.

Made by `magic.sweep`. Belongs to the engine's event loop, where all its methods are called; `changed` is called there, too.
Every job is sent at once, behind the others of its session, so that the sweep goes on when this process is gone. While it is
there it balances: a job that has not begun is taken back from a session (which says whether it could be) for one that is idle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from choline_jupyter.errors import CholineError
from choline_jupyter.model.event import SUPERVISOR_RANK, Event, Kind
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.job_end import is_end
from choline_jupyter.session.outcome import explain_death
from choline_jupyter.session.sweep.job import SweepJob
from choline_jupyter.session.sweep.record import name_job

if TYPE_CHECKING:
    from choline_jupyter.model.event import Series
    from choline_jupyter.session.cargo import Packed
    from choline_jupyter.session.engine import Engine
    from choline_jupyter.session.live import LiveSession

_ATTEMPTS = 3  # of a job whose sessions are lost


@dataclass
class Lane:
    """One session and the jobs that it was given and has not ended, in the order in which it runs them.

    `packed` goes with the first job of each of its kernels: names and files of the notebook.
    """

    session: LiveSession
    where: str
    packed: Packed
    jobs: list[SweepJob] = field(default_factory=list)
    kernels: int = -1  # how many of its kernels had died when that went, -1 if it has not gone
    is_lost: bool = False
    seen: dict[Series, int] = field(default_factory=dict)  # what is known of a session that was joined


class SweepRunner:
    """`make_header` gives what the job of a name is sent with. `ended` is set when no job is open and the sessions are over."""

    def __init__(
        self, name: str, engine: Engine, lanes: Sequence[Lane], jobs: Sequence[SweepJob],
        make_header: Callable[[str], Mapping[str, Any]], notebook: str, changed: Callable[[], None],
    ) -> None:  # fmt: skip
        self.name, self.jobs, self.lanes = name, jobs, lanes
        self.ended = asyncio.Event()
        self._engine, self._make_header, self._notebook, self._changed = engine, make_header, notebook, changed
        self._waiting: list[SweepJob] = []
        self._recalled: set[str] = set()
        self._is_stopping = self._is_ending = False
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Send every job, each session its share."""
        self._listen()
        for place, job in enumerate(self.jobs):
            self._send(job, self.lanes[place % len(self.lanes)])

    def adopt(self) -> None:
        """Go on with jobs that another process has sent; what was lost meanwhile is run again."""
        self._listen()
        known = {job.id for lane in self.lanes for job in lane.jobs}
        for job in self.jobs:
            if job.state.is_open and job.id not in known:
                self._repeat(job, "its session has ended")
        for lane in self.lanes:
            for job in lane.jobs[1:]:
                job.state, job.started_at = JobState.QUEUED, None
        self._settle()

    async def confirm(self) -> None:
        """Return when every job that was sent has been taken, or its session is lost."""
        for lane in self.lanes:
            for job in list(lane.jobs):
                with suppress(CholineError):
                    await lane.session.confirm(job.id)

    def stop(self) -> None:
        """Take back what has not begun and interrupt what runs."""
        self._is_stopping = True
        for job in self._waiting:
            job.end(JobState.CANCELLED, "stopped")
        self._waiting.clear()
        for lane in self.lanes:
            for job in reversed(lane.jobs):
                lane.session.interrupt(job.id)
        self._settle()

    def _listen(self) -> None:
        for lane in self.lanes:
            lane.session.feed.on_arrival = partial(self._hear, lane)

    def _send(self, job: SweepJob, lane: Lane) -> None:
        row = JobRow(
            make_identifier("j"), lane.session.row.id, name=name_job(self.name, job),
            attempt=job.attempt + 1, notebook=self._notebook, detached=True,
        )  # fmt: skip
        job.begin_attempt(row.id, lane.where)
        header, extra = {"msg_id": row.id, **self._make_header(row.id)}, b""
        if lane.kernels != lane.session.deaths:
            lane.kernels = lane.session.deaths
            header, extra = {**header, **lane.packed.header}, lane.packed.extra
        lane.jobs.append(job)
        lane.session.run(row, job.code, header, extra)
        self._note_begun(lane)

    def _hear(self, lane: Lane) -> None:
        """Take what has come of a session."""
        while (event := lane.session.feed.get_at_once()) is not None:
            job = next((one for one in lane.jobs if one.id == event.job), None)
            if job:
                self._take(lane, job, event)
        if lane.session.has_ended or lane.session.failure:
            self._lose(lane, str(lane.session.failure or "its session has ended"))
        self._settle()

    def _take(self, lane: Lane, job: SweepJob, event: Event) -> None:
        if event.series.rank in (0, SUPERVISOR_RANK) and event.kind is not Kind.STATE:
            job.read(event)
        if not is_end(event):
            return
        lane.jobs.remove(job)
        fact = event.read_content()
        if fact.get("state") == "done":
            self._finish(job, fact.get("reply") or {})
        elif fact.get("state") == "cancelled":
            self._note_cancelled(job, str(fact.get("reason")))
        elif fact.get("stopped"):
            self._repeat(job, f"its session ended: {fact['stopped']}")
        elif fact.get("reason"):  # this machine makes no kernels: another may
            self._repeat(job, str(fact["reason"]))
            self._lose(lane, str(fact["reason"]))
        else:
            job.end(JobState.FAILED, str(explain_death(fact)).split("\n")[0])
        self._note_begun(lane)

    def _finish(self, job: SweepJob, reply: Mapping[str, Any]) -> None:
        if reply.get("status") == "ok":
            job.end(JobState.DONE)
        elif self._is_stopping and reply.get("ename") == "KeyboardInterrupt":
            job.end(JobState.CANCELLED, "interrupted")
        else:
            job.end(JobState.FAILED, f"{reply.get('ename')}: {reply.get('evalue')}".split("\n")[0][:200])

    def _note_cancelled(self, job: SweepJob, reason: str) -> None:
        """It never began: unless somebody has wished so it runs elsewhere, or here again."""
        if self._is_stopping or (reason.startswith("interrupted") and job.id not in self._recalled):
            job.end(JobState.CANCELLED, reason)
            return
        job.attempt -= 1
        self._waiting.append(job)

    def _repeat(self, job: SweepJob, reason: str) -> None:
        """It was lost with its session."""
        if self._is_stopping or job.attempt >= _ATTEMPTS:
            job.end(JobState.LOST, reason)
            return
        job.state, job.started_at, job.trouble = JobState.QUEUED, None, reason
        self._waiting.append(job)

    def _lose(self, lane: Lane, reason: str) -> None:
        """Nothing will come of this session any more."""
        lane.is_lost = True
        lost, lane.jobs = lane.jobs, []
        for job in lost:
            self._repeat(job, reason)

    def _note_begun(self, lane: Lane) -> None:
        """A session runs its jobs one after the other."""
        first = lane.jobs[0] if lane.jobs else None
        if first and first.started_at is None:
            first.begin()

    def _settle(self) -> None:
        """Something has changed: give work to who has none, and see whether it is over."""
        usable = [lane for lane in self.lanes if not lane.is_lost]
        while self._waiting and usable:
            self._send(self._waiting.pop(0), min(usable, key=lambda lane: len(lane.jobs)))
        for job in self._waiting:
            job.end(JobState.LOST, f"no session is left; {job.trouble}")
        self._waiting.clear()
        if not self._is_stopping:
            self._balance(usable)
        if not any(lane.jobs for lane in self.lanes) and not self._is_ending:
            self._is_ending = True
            task = asyncio.get_running_loop().create_task(self._end())
            self._tasks.add(task)
        self._changed()

    def _balance(self, usable: Sequence[Lane]) -> None:
        """Ask the session with the longest queue for its last job, once for each that is idle."""
        idle = sum(not lane.jobs for lane in usable) - len(self._list_recalled(usable))
        for _ in range(idle):
            longest = max(usable, key=lambda lane: len(self._list_movable(lane)))
            movable = self._list_movable(longest)
            if movable:
                self._recalled.add(movable[-1].id)
                longest.session.recall(movable[-1].id)

    def _list_movable(self, lane: Lane) -> list[SweepJob]:
        return [job for job in lane.jobs[1:] if job.id not in self._recalled]

    def _list_recalled(self, lanes: Sequence[Lane]) -> list[SweepJob]:
        return [job for lane in lanes for job in lane.jobs[1:] if job.id in self._recalled]

    async def _end(self) -> None:
        """End the sessions, which were opened for this sweep; their files are home then."""
        for lane in self.lanes:
            if not lane.session.has_ended:
                with suppress(CholineError):
                    await self._engine.stop(lane.session.row)
        self.ended.set()
        self._changed()
