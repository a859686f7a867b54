"""A session as the supervisor hosts it: its folder, its rank, the queue of its jobs, its end.

Made by `agent.supervisor` from an OPEN frame or from what an earlier supervisor left on disk; runs in its event loop.
Files in the session's folder: `session.json` (what to re-create it from, replaced atomically), the journal's segments,
`ended.json` (what its next epoch must know), `jobs/` (those that are not over), `r<rank>.exit` (how a rank ended),
`r<rank>.log` (what bypassed the kernel's capture).
Promise: one job runs at a time, the others wait in order; a job sent twice (after a cut) runs once; what was taken is
run or said to be lost, whichever process is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional, Union

from choline_jupyter.agent.datasets import Datasets
from choline_jupyter.agent.doorbell import Bell
from choline_jupyter.agent.job_folder import JobFolder
from choline_jupyter.agent.journal import JournalWriter, find_ended_jobs, find_last_seq, list_ranks
from choline_jupyter.agent.leftovers import note_ended
from choline_jupyter.agent.place import Place
from choline_jupyter.agent.process import read_oom_kills
from choline_jupyter.agent.rank import Rank
from choline_jupyter.agent.rank_group import RankGroup
from choline_jupyter.model.event import SUPERVISOR_RANK, Kind
from choline_jupyter.model.names import check_identifier
from choline_jupyter.wire.frame import Frame, Type

_PATIENCE = 0.1

Launch = Callable[["HostedSession", Rank], None]
Ranks = Union[Rank, RankGroup]


class HostedSession:
    """One session. `launch` makes a rank's process; `wake(session, rank, hurry)` tells the pumps."""

    def __init__(
        self, place: Place, spec: dict[str, Any], launch: Launch, wake: Callable[[str, int, bool], None]
    ) -> None:
        self.id: str = spec["session"]
        self.spec = spec
        self.environment: Optional[dict[str, str]] = None
        self.directory = place.find_session(self.id)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.journal = JournalWriter(self.directory, SUPERVISOR_RANK, lambda: wake(self.id, SUPERVISOR_RANK, True))
        self.rank: Optional[Ranks] = None
        self.size = int(spec.get("ranks") or 1) if spec.get("kind") != "script" else 1
        self._port = 0
        self.running = ""
        self.running_since = 0.0
        self.quiet_since = time.monotonic()
        self.stopping = asyncio.Event()
        self.finished: set[str] = set()
        self.settled = asyncio.Event()  # it is known what the rank is doing
        self.ended = asyncio.Event()
        self._place, self._launch, self._wake = place, launch, wake
        self._jobs = JobFolder(self.directory / "jobs")
        self._datasets = Datasets(place.home, spec, self.tell)
        self._queue: deque[Frame] = deque()
        self._holds = 0
        self._told: set[str] = set()
        self._oom_kills = read_oom_kills()
        self.bells = [Bell(place.find_rank_bell(self.id, number)) for number in range(self.size)]

    @property
    def queue(self) -> list[str]:
        """The jobs that wait, next one first."""
        return [frame.header["job"] for frame in self._queue]

    @property
    def is_stopping(self) -> bool:
        return self.stopping.is_set()

    @property
    def is_idle(self) -> bool:
        return self.settled.is_set() and not self.running and not self._queue

    @property
    def is_spent(self) -> bool:
        """Whether it is a script's and its one job was refused: there will be no other."""
        return self.spec.get("kind") == "script" and bool(self.finished) and self.is_idle

    def save(self) -> None:
        """Write what a later supervisor needs to take this session over."""
        temporary = self.directory / "session.tmp"
        temporary.write_text(json.dumps(self.spec))
        os.replace(temporary, self.directory / "session.json")

    def ensure_rank(self) -> bool:
        """Have a living rank, or one that is being made; True when it is new."""
        if self.rank and self.rank.is_alive:
            return False
        self.rank = self._make_ranks()
        self.settled.set()
        self._oom_kills = read_oom_kills()
        for rank in self.rank.members:
            self._launch(self, rank)
        return True

    async def adopt(self) -> bool:
        """Take over the rank of an earlier supervisor; False, and the session is over, when it has not survived."""
        self.rank = self._make_ranks()
        if not await self.rank.connect():
            self._abandon("its machine was restarted or its processes were killed")
            self._tell_end("its machine was restarted or its processes were killed")
            return False
        return True

    def run(self, frame: Frame) -> None:
        """Run a job, or queue it behind the one that runs; one that is known already is ignored."""
        job = check_identifier(frame.header["job"])
        if job in self.finished or job == self.running or job in self.queue:
            return
        if frame.header.get("continued"):
            self.tell({"state": "continued", "text": str(frame.header["continued"])}, job)
        self.quiet_since = time.monotonic()
        self._fetch(frame)
        if self._holds or self.running or self._queue or (self.rank and self.rank.is_ending()):
            self._queue.append(frame)
            self.ask()
            # a client may know that the last job is over some moments before the bell says so here
            asyncio.get_running_loop().call_later(_PATIENCE, self._tell_queued, job)
        else:
            self._begin(frame)
        self._jobs.put(frame)

    def finish(self, job: str) -> None:
        """The rank has said that this job is over: the next one's turn."""
        self._close(job)
        self.quiet_since = time.monotonic()
        if job == self.running:
            self.running = ""
            self._next()

    def hear(self, rank: int, notice: str) -> str:
        """What a rank's bell said beside that its series grew; the job that is over by that, or nothing."""
        if isinstance(self.rank, RankGroup):
            self.rank.hear(rank, notice)
            job = notice.split(" ")[1] if " " in notice else ""
            return job if job in self.rank.done else ""
        return notice[5:] if notice.startswith("done ") else ""

    def ask(self) -> None:
        """Have the rank say what it does: the bell may have been missed."""
        if self.rank and self.running:
            self.rank.send(Frame(Type.STATUS, {}))

    def hold(self) -> None:
        """Let jobs wait until as many `release`s have come."""
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1
        if not self.running:
            self._next()

    def cancel_waiting(self, reason: str) -> None:
        """End the jobs that have not begun."""
        while self._queue:
            self._cancel(self._queue.popleft().header["job"], reason)

    def interrupt(self, job: str, only_waiting: bool = False) -> None:
        """Interrupt a job (the running one, when empty); one that waits is cancelled, and with `only_waiting` no other."""
        job = job or ("" if self.running else next(iter(self.queue), ""))
        if job in self.queue:
            kept = "; what has come of its datasets is kept" if self._datasets.stop(job) else ""
            self._refuse(job, "interrupted before it began" + kept)
        elif only_waiting:
            return
        elif self.rank and self.running and self.rank.recall():
            self._cancel(self.running, "interrupted before it began")
            self.running = ""
            self._next()
        elif self.rank:
            self.rank.send(Frame(Type.INTERRUPT, {"job": job or self.running}))

    async def stop(self, reason: str) -> None:
        """End the session with all its processes; a second call waits for the first."""
        if self.is_stopping:
            await self.ended.wait()
            return
        self.stopping.set()
        self.cancel_waiting(reason)
        if self.rank:
            await self.rank.stop()
        if self.running:
            self._tell_stopped(self.running, reason)
        self._tell_end(reason)
        for number in range(self.size):
            self._place.find_rank_bell(self.id, number).unlink(missing_ok=True)
        self.ended.set()

    def close(self) -> None:
        """Forget it; a rank that lives goes on."""
        if self.rank:
            self.rank.close()
        for bell in self.bells:
            bell.close()
        self.journal.close()

    def tell(self, state: dict[str, Any], job: str = "") -> None:
        """Append a state event to the supervisor's own series."""
        self.journal.append(Kind.STATE, [b"{}", b"{}", b"{}", json.dumps(state).encode()], job)

    def describe(self) -> dict[str, Any]:
        """What a status shows."""
        return {
            "session": self.id,
            "name": self.spec["name"],
            "kind": self.spec.get("kind", "kernel"),
            "directory": self.spec["directory"],
            "epoch": self.spec["epoch"],
            "created": self.spec["created"],
            "shares": self.spec.get("shares", True),
            "lease": self.spec["lease"],
            "quiet": time.monotonic() - self.quiet_since,
            "pid": self.rank.pid if self.rank else 0,
            "pids": [rank.pid for rank in self.rank.members] if self.rank else [],
            "alive": bool(self.rank and self.rank.is_alive),
            "running": self.running,
            "since": self.running_since,
            "queue": self.queue,
        }

    def describe_group(self) -> dict[str, int]:
        """What each of several ranks is told of the others: how many there are, and a port that is free."""
        if self.size > 1 and not self._port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self._port = probe.getsockname()[1]
        return {"size": self.size, "port": self._port}

    def list_ranks(self) -> list[int]:
        """Every rank that has a series, the supervisor's own included."""
        ranks = set(list_ranks(self.directory)) | {SUPERVISOR_RANK}
        return sorted(ranks | (set(range(self.size)) if self.rank else set()))

    def _begin(self, frame: Frame) -> None:
        self.running, self.running_since = frame.header["job"], time.time()
        if self.rank is None or not self.rank.is_alive:
            self.ensure_rank()
            self.tell({"state": "restarted"}, self.running)
        if self.rank:
            for rank in self.rank.replace_dead():
                self._launch(self, rank)
            self.rank.send(frame._replace(header={**frame.header, "layer": self.spec.get("layer", ("", 0))}))

    def _next(self) -> None:
        if self._queue and not self.is_stopping and not self._holds:
            frame = self._queue.popleft()
            if frame.header["job"] in self._told:
                self.tell({"state": "begun"}, frame.header["job"])
            self._begin(frame)

    def _tell_queued(self, job: str) -> None:
        if job in self.queue and self.running:
            self._told.add(job)
            self.tell({"state": "queued", "behind": self.running}, job)

    def _fetch(self, frame: Frame) -> None:
        """Have the datasets that a job names; until they are here no job begins."""
        if self._datasets.start(frame, self._go_on, partial(self._refuse, frame.header["job"])):
            self.hold()

    def _go_on(self) -> None:
        if not self.is_stopping:
            self.save()
        self.release()

    def _refuse(self, job: str, reason: str, hint: str = "") -> None:
        """A job that waits never begins."""
        self._queue = deque(frame for frame in self._queue if frame.header["job"] != job)
        self._cancel(job, reason, hint)

    def _cancel(self, job: str, reason: str, hint: str = "") -> None:
        self._close(job)
        self.tell({"state": "cancelled", "reason": reason, "hint": hint}, job)

    def _close(self, job: str) -> None:
        self.finished.add(job)
        self._jobs.remove(job)
        self._datasets.stop(job)

    def _make_ranks(self) -> Ranks:
        if self.size == 1:
            return Rank(self._place, self.id, 0, self._note_state, self._mourn)
        shares = bool(self.spec.get("shares", True))
        return RankGroup(self._place, self.id, self.size, shares, self.tell, self._note_state, self._mourn)

    def _note_state(self, rank: Ranks) -> None:
        """What the rank says of itself: when it is adopted everything that is known, later what a lost notice said."""
        if not self.settled.is_set():
            self._take_over(rank)
        if self.running in rank.done:
            self.finish(self.running)

    def _take_over(self, rank: Ranks) -> None:
        """Go on where an earlier supervisor was."""
        self.finished |= rank.done
        self.running = rank.running if rank.running not in self.finished else ""
        for frame in self._jobs.load():
            job = frame.header["job"]
            if job in self.finished:
                self._jobs.remove(job)
            elif job == self.running:
                continue
            elif frame.header.get("secrets"):  # only their names were kept
                self._cancel(job, "the agent was killed before it began, and does not keep secrets on its disk")
            else:
                self._fetch(frame)
                self._queue.append(frame)
        self.settled.set()
        if not self.running:
            self._next()

    def _abandon(self, reason: str) -> None:
        """Say of each job that was taken and has not ended that it never will."""
        over = find_ended_jobs(self.directory, 0 if self.size == 1 else SUPERVISOR_RANK)
        for frame in self._jobs.load():
            job = frame.header["job"]
            if job in over:
                self._jobs.remove(job)
            else:
                self._tell_stopped(job, reason, is_loss=True)

    def _tell_stopped(self, job: str, reason: str, is_loss: bool = False) -> None:
        """A loss is what nobody has wanted: another machine, or this one again, may go on."""
        self._close(job)
        self.tell({"state": "died", "stopped": reason, "loss": is_loss, **self._find_end()}, job)

    def _tell_end(self, reason: str) -> None:
        self.tell({"state": "ended", "reason": reason, **self._find_end()})
        note_ended(self.directory, self.spec)
        (self.directory / "session.json").unlink(missing_ok=True)
        shutil.rmtree(self.directory / "layer", ignore_errors=True)

    def _find_end(self) -> dict[str, int]:
        """Behind which event of its rank a client should show what is told."""
        return {"rank": 0, "last": find_last_seq(self.directory, 0)}

    def _mourn(self, rank: Ranks, code: Optional[int], reason: str) -> None:
        """The rank's process is gone: say so to the job that ran and to those that relied on its names.

        Jobs that came when it was on its way out without one did not rely on it: they begin in the next rank.
        """
        self._wake(self.id, rank.number, True)  # it may have died between its last record and the bell
        if not self.settled.is_set():
            self.settled.set()
            self._abandon("its kernel ended while nobody watched it")
        was_idle = not self.running
        if not self.is_stopping:
            is_oom = code == -9 and read_oom_kills() > self._oom_kills
            fact = {"state": "died", "code": code, "oom": is_oom, "reason": reason, **self._find_end()}
            self.tell(fact, self.running)
            self._close(self.running)
            self.running = ""
        while self._queue and not was_idle:
            self._cancel(self._queue.popleft().header["job"], "the kernel it waited for ended")
        rank.close()
        self._next()


def read_spec(directory: Path) -> Optional[dict[str, Any]]:
    """What an earlier supervisor wrote about a session, if it was still open."""
    try:
        spec = json.loads((directory / "session.json").read_text())
    except (OSError, ValueError):
        return None
    return spec if isinstance(spec, dict) and spec.get("session") == directory.name else None
