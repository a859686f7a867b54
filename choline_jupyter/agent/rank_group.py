"""The ranks of one session as one: what a session sends to its kernel goes to each, and a job ends when it has ended on all.

Made by `agent.session` for a session of several ranks, in the place of its one `agent.rank`; runs in the supervisor's
event loop. Promise: no job waits for ever on a rank that failed, left or died: the others' process group is aborted
(`agent.kernel.process_group`), they report, and the next job finds a whole group under a new generation.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Callable, Optional

from choline_jupyter.agent.journal import find_ended_jobs, find_last_seq
from choline_jupyter.agent.place import Place
from choline_jupyter.agent.rank import Rank
from choline_jupyter.agent.rank_job import RankJob
from choline_jupyter.agent.rank_watch import TICK, find_patience, judge
from choline_jupyter.model.event import SUPERVISOR_RANK
from choline_jupyter.wire.frame import Frame, Type

_GRACE = 0.15  # seconds that the others have, once one has failed, to end by themselves
_FIRST_LOOK = 1.0

Tell = Callable[[dict[str, Any], str], None]


class RankGroup:
    """Takes the calls that a `Rank` takes. `tell(state, job)` writes into the supervisor's own series.

    `shares_files`: the ranks work on the client's own files, so that none that they make have to be announced.
    """

    number = 0

    def __init__(
        self,
        place: Place,
        session: str,
        size: int,
        shares_files: bool,
        tell: Tell,
        on_state: Callable[[RankGroup], None],
        on_death: Callable[[RankGroup, Optional[int], str], None],
    ) -> None:
        self._place, self._session, self._tell = place, session, tell
        self._on_state, self._on_death = on_state, on_death
        self._folder = place.find_session(session)
        self._shares_files = shares_files
        self.members = [self._make(number) for number in range(size)]
        self.done: set[str] = set()
        self.generation = 1
        self._job: Optional[RankJob] = None
        self._patience = find_patience()
        self._is_stopping = self._is_adopting = False
        self._heard: set[int] = set()

    @property
    def pid(self) -> int:
        return self.members[0].pid

    @property
    def running(self) -> str:
        return self._job.name if self._job else ""

    @property
    def is_alive(self) -> bool:
        return any(member.is_alive for member in self.members)

    async def connect(self) -> bool:
        """Take over the ranks that an earlier supervisor has left; False when none lives."""
        self._is_adopting = True
        found = await asyncio.gather(*(member.connect() for member in self.members))
        for member, is_there in zip(self.members, found):
            member.is_alive = is_there
        return self.is_alive

    def replace_dead(self) -> list[Rank]:
        """A new rank in the place of each that has died, to be launched by the caller."""
        dead = [member.number for member in self.members if not member.is_alive]
        for number in dead:
            self.members[number] = self._make(number)
        if dead:
            self.generation += 1
        return [self.members[number] for number in dead]

    def send(self, frame: Frame) -> None:
        """Pass a frame to whom it is for."""
        if frame.type is Type.RUN:
            self._run(frame)
        elif frame.type in (Type.INPUT, Type.COMM):
            self._send(int(frame.header.get("rank", 0)), frame)
        elif frame.type is Type.INTERRUPT:
            for number in self._job.list_running() if self._job else ():
                self._send(number, frame)
        else:
            for number in range(len(self.members)):
                self._send(number, frame)

    def recall(self) -> bool:
        """Take back what waits for the processes to be made; False when one has it already."""
        if any(member.has_begun for member in self.members):
            return False
        self._job = None
        for member in self.members:
            member.recall()
        return True

    def is_ending(self) -> bool:
        return any(member.is_ending() for member in self.members)

    async def stop(self) -> None:
        """End all processes."""
        self._is_stopping = True
        await asyncio.gather(*(member.stop() for member in self.members))

    def close(self) -> None:
        for member in self.members:
            member.close()

    def hear(self, number: int, notice: str) -> None:
        """What a rank's bell said: `done JOB END`, `placed JOB`, `announced JOB`."""
        word, _, rest = notice.partition(" ")
        job, _, end = rest.partition(" ")
        if self._job is None or job != self._job.name:
            return
        if word == "done":
            self._note_end(number, json.loads(end))
        elif word == "placed":
            self._spread()
        elif word == "announced":
            self._conclude()

    def _make(self, number: int) -> Rank:
        return Rank(self._place, self._session, number, self._note_state, self._mourn)

    def _send(self, number: int, frame: Frame) -> None:
        if 0 <= number < len(self.members) and self.members[number].is_alive:
            self.members[number].send(frame)

    def _run(self, frame: Frame) -> None:
        """Have the ranks that the job is for run it; where files come along, one unpacks them before the others begin."""
        self._job = job = RankJob(frame, len(self.members), self.generation)
        for number in job.list_first():
            self._send(number, job.make_frame(number))
        asyncio.get_running_loop().call_later(_FIRST_LOOK, self._look, job)

    def _spread(self) -> None:
        for number in self._job.list_waiting() if self._job else ():
            assert self._job
            self._send(number, self._job.make_frame(number))

    def _note_end(self, number: int, end: dict[str, Any]) -> None:
        """A rank has ended the job: well, or so that the others may wait for it in vain."""
        job = self._job
        if job is None or not job.note_end(number, end):
            return
        self._spread()  # it may have failed before it said that the files are in place
        if job.is_over:
            self._close_job(job)
        elif end.get("status") != "ok":
            asyncio.get_running_loop().call_later(_GRACE, self._abort, job, "rank %d failed" % number)

    def _close_job(self, job: RankJob) -> None:
        """All ranks have ended: one of them tells which files were made, then the job is over."""
        announcer = next((number for number in job.on if self.members[number].is_alive), -1)
        if not self._shares_files and announcer >= 0 and job.announcer < 0:
            job.announcer = announcer
            self._send(announcer, Frame(Type.STATUS, {"announce": job.name, **job.describe_pull()}))
        else:
            self._conclude()

    def _conclude(self) -> None:
        job, self._job = self._job, None
        if job is None:
            return
        self.done.add(job.name)
        if job.is_out_of_step:
            self.generation += 1
        ends = {str(number): self._find_end(job, number) for number in job.on}
        self._tell({"state": "done", "reply": job.make_reply(), "ends": ends}, job.name)
        self._on_state(self)

    def _find_end(self, job: RankJob, number: int) -> int:
        """The last event of a rank that belongs to the job: a client shows the job's end behind it."""
        said = job.ends[number].get("seq") if number != job.announcer else 0
        return int(said or find_last_seq(self._folder, number))

    def _abort(self, job: RankJob, reason: str) -> None:
        """Free those that wait in a collective; who computes goes on, and fails at its next collective."""
        if job is self._job:
            for number in job.list_running():
                self._send(number, Frame(Type.INTERRUPT, {"job": job.name, "abort": reason}))

    def _look(self, job: RankJob) -> None:
        """While a job runs: where is everybody, and does anybody wait in vain?"""
        if job is not self._job:
            return
        found = judge(job, self._patience)
        if found.fact and found.key not in job.told:
            job.told.add(found.key)
            self._tell(found.fact, job.name)
        if found.is_deadlock:
            self._abort(job, found.reason)
        for number in job.list_running():
            self._send(number, Frame(Type.STATUS, {"look": True}))
        asyncio.get_running_loop().call_later(TICK, self._look, job)

    def _note_state(self, member: Rank) -> None:
        """What a rank says of itself when it is met and whenever it is asked."""
        state, number = member.state, member.number
        self.generation = max(self.generation, int(state.get("generation", 0)))
        if self._is_adopting:
            self._heard.add(number)
            if self._heard >= {one.number for one in self.members if one.is_alive}:
                self._is_adopting = False
                self._take_over()
        job = self._job
        if job:
            job.where[number] = state.get("where") or {}
            if job.name == state.get("placed"):
                self._spread()
            end = (state.get("ends") or {}).get(job.name)
            if end:
                self._note_end(number, end)
            elif job.is_over and job.name == state.get("announced"):
                self._conclude()

    def _take_over(self) -> None:
        """Go on where an earlier supervisor was: with the job that some rank runs, or that all have ended unheard."""
        self.done |= find_ended_jobs(self._folder, SUPERVISOR_RANK)
        states = {member.number: member.state for member in self.members if member.is_alive}
        names = [state.get("running") for state in states.values()]
        names += [name for state in states.values() for name in state.get("ends") or {}]
        name = next((name for name in names if name and name not in self.done), "")
        if name:
            on = next(state["on"] for state in states.values() if name in (state.get("on") or {}))[name]
            self._job = RankJob(Frame(Type.RUN, {"job": name, "on": on}), len(self.members), self.generation)
            self._job.list_first()
            self._job.list_waiting()
            asyncio.get_running_loop().call_later(_FIRST_LOOK, self._look, self._job)
            self._bury_missing(self._job, states)
        self._on_state(self)

    def _bury_missing(self, job: RankJob, states: dict[int, dict[str, Any]]) -> None:
        for number in job.on:
            end = (states.get(number, {}).get("ends") or {}).get(job.name)
            if number not in states:
                end = make_death(None)
            if end:
                self._note_end(number, end)

    def _mourn(self, member: Rank, code: Optional[int], reason: str) -> None:
        """A rank's process is gone; the session hears of it when it was the last, the job at once."""
        if not self.is_alive:
            self._job = None
            self._on_death(self, code, reason)
            return
        member.close()
        if self._is_stopping:
            return
        self.generation += 1
        number, job = member.number, self._job
        fact = {"state": "rank_died", "rank": number, "code": code, "reason": reason}
        self._tell({**fact, "last": find_last_seq(self._folder, number)}, job.name if job else "")
        if job and number in job.on:
            self._note_end(number, make_death(code))
        if self._is_adopting:
            self._note_state(member)


def make_death(code: Optional[int]) -> dict[str, Any]:
    """The end of a job on a rank whose process is gone."""
    how = "with status %d" % code if code and code > 0 else "by signal %d" % -code if code else "unexpectedly"
    return {"status": "error", "ename": "RankDied", "evalue": "the rank's process ended %s" % how, "died": True}
