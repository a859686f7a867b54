"""A rank as one of several: what it is asked by its supervisor beside running cells, and what it tells of itself.

Made by `application` where a session has several ranks; called by the bridge's thread, `begin` by the kernel's main thread.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from choline_jupyter.agent.doorbell import Ringer
from choline_jupyter.agent.kernel.jobs import Jobs
from choline_jupyter.agent.kernel.luggage import Luggage
from choline_jupyter.agent.kernel.process_group import ProcessGroup

_PATIENCE = 0.15  # seconds in which a signal alone ends what runs
_INTERRUPTED, _DESERTED = 0.5, 3.0  # seconds until a group is cut although nobody is seen to wait in it


class Membership:
    """`on` keeps for which ranks the last job was, for a supervisor that has just been started."""

    def __init__(self, group: ProcessGroup, jobs: Jobs, ringer: Ringer, luggage: Luggage) -> None:
        self._group, self._jobs, self._ringer, self._luggage = group, jobs, ringer, luggage
        self._on: dict[str, Any] = {}
        self._placed = self._announced = ""
        self._pid = os.getpid()

    def begin(self, wish: dict[str, Any]) -> str:
        """Main thread, when what came with a cell is in place; gives code to run in its stead if it cannot run."""
        job = self._jobs.running
        self._on = {job: wish.get("on")}
        if wish.get("files") is not None or wish.get("brought") is not None:
            self._placed = job
            self._ringer.tell("placed %s" % job)
        return self._group.prepare(int(wish.get("generation") or 0), bool(wish.get("is_whole")))

    def describe(self, wish: dict[str, Any]) -> dict[str, Any]:
        """What a supervisor's question is answered with."""
        if "announce" in wish:
            self._announce(wish)
        return {
            "ends": dict(self._jobs.ends),
            "on": self._on,
            "generation": self._group.generation,
            "where": self._group.look() if wish.get("look") else {},
            "placed": self._placed,
            "announced": self._announced,
        }

    def abort(self, job: str, reason: str) -> None:
        """The others wait in vain, or this one does."""
        if self._jobs.running == job:
            self._group.abort(reason, _DESERTED)

    def abort_later(self, job: str) -> None:
        """A signal does not end a collective: where the cell goes on, end that."""
        job = job or self._jobs.running
        timer = threading.Timer(_PATIENCE, self._end_waiting, (job,))
        timer.daemon = True
        timer.start()

    def _end_waiting(self, job: str) -> None:
        if self._jobs.running == job:
            self._group.abort("it was interrupted", _INTERRUPTED)

    def _announce(self, wish: dict[str, Any]) -> None:
        """Tell which files the ranks have made; the main thread has nothing to do now."""
        job = wish["announce"]
        if job != self._announced:
            self._luggage.announce(job, wish["attempt"], pull=wish["pull"])
            self._announced = job
        self._ringer.tell("announced %s" % job)
