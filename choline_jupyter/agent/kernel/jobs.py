"""Which job a message of the kernel belongs to, and when a job is over.

Shared by the three threads of a rank that see messages: the IOPub thread (`hook`), the bridge thread and the kernel's
main thread (`application`); one lock guards it. A job is over when both its reply and its `idle` have been seen:
whichever comes second writes the record that says so, so that record stands behind all output of the cell.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import Any, Callable, Optional

from choline_jupyter.agent.doorbell import Ringer
from choline_jupyter.agent.journal import JournalWriter
from choline_jupyter.model.event import Kind

_REMEMBERED = 1000
_ENDS = 10
_VALUE = 300


class _Job:
    def __init__(self, name: str, attempt: int) -> None:
        self.name, self.attempt = name, attempt
        self.is_started = self.is_cancelled = self.is_idle = False
        self.reply: Optional[list[bytes]] = None


class Jobs:
    """The jobs of one rank by the `msg_id` of their request; old ones are forgotten, the last 1,000 kept.

    `describe` is given where there are other ranks: an end is this rank's only, and carries what the group must know.
    """

    def __init__(
        self, journal: JournalWriter, ringer: Ringer, describe: Optional[Callable[[], dict[str, Any]]] = None
    ) -> None:
        self._journal, self._ringer = journal, ringer
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._lock = threading.Lock()
        self._last_parent = (b"", "")
        self.running = ""
        self.done: OrderedDict[str, str] = OrderedDict()
        self.ends: OrderedDict[str, dict[str, Any]] = OrderedDict()  # for the group, the last ones
        self._describe = describe

    def add(self, msg_id: str, name: str, attempt: int) -> None:
        """Bridge: this request is about to be sent to the kernel."""
        with self._lock:
            self._jobs[msg_id] = _Job(name, attempt)
            self.running = name
            if len(self._jobs) > _REMEMBERED:
                self._jobs.popitem(last=False)

    def find(self, parent: bytes) -> tuple[str, int]:
        """The job and attempt that a message with this parent header belongs to; ("", 0) for none."""
        return self.get(self.read_msg_id(parent))

    def get(self, msg_id: str) -> tuple[str, int]:
        """The job and attempt of a request; ("", 0) for none."""
        job = self._jobs.get(msg_id)
        return (job.name, job.attempt) if job else ("", 0)

    def read_msg_id(self, parent: bytes) -> str:
        """The `msg_id` in a parent header; the last answer is kept, as a cell's messages share their parent."""
        known, msg_id = self._last_parent
        if known != parent:
            msg_id = json.loads(parent).get("msg_id", "")
            self._last_parent = (parent, msg_id)
        return str(msg_id)

    def start(self, msg_id: str) -> bool:
        """Kernel: this request begins to execute; False when it was interrupted before."""
        with self._lock:
            job = self._jobs.get(msg_id)
            if job is None:
                return True
            job.is_started = True
            return not job.is_cancelled

    def cancel(self, name: str) -> bool:
        """Bridge: interrupt this job (any, when empty); True when it runs and wants a signal."""
        with self._lock:
            for job in self._jobs.values():
                if job.name == (name or self.running) and not (job.is_idle and job.reply):
                    job.is_cancelled = True
                    return job.is_started
            return False

    def see_reply(self, parts: list[bytes]) -> None:
        """Bridge: the execute_reply (header, parent, metadata, content)."""
        self._finish(self.read_msg_id(parts[1]), reply=parts)

    def see_idle(self, parent: bytes) -> bool:
        """IOPub thread: the kernel is idle again; True when that belongs to a job."""
        return self._finish(self.read_msg_id(parent))

    def _finish(self, msg_id: str, reply: Optional[list[bytes]] = None) -> bool:
        with self._lock:
            job = self._jobs.get(msg_id)
            if job is None:
                return False
            if reply is None:
                job.is_idle = True
            else:
                job.reply = reply
            if job.is_idle and job.reply:
                self._close(job, job.reply)
            return True

    def _close(self, job: _Job, reply: list[bytes]) -> None:
        header, parent, metadata, content = reply
        word = b"rank_done" if self._describe else b"done"
        state = b'{"state": "' + word + b'", "reply": ' + content + b"}"
        seq = self._journal.append(Kind.STATE, [header, parent, metadata, state], job.name, job.attempt)
        self.running = ""
        self.done[job.name] = json.loads(content).get("status", "error")
        if len(self.done) > _REMEMBERED:
            self.done.popitem(last=False)
        self._ringer.tell("done %s" % job.name if self._describe is None else self._outline(job.name, content, seq))

    def _outline(self, name: str, content: bytes, seq: int) -> str:
        """The end for the supervisor, small enough for a datagram; kept in case that one is lost."""
        reply = json.loads(content)
        end = {key: reply[key] for key in ("status", "ename", "execution_count") if key in reply}
        if "evalue" in reply:
            end["evalue"] = reply["evalue"][:_VALUE]
        self.ends[name] = {"seq": seq, **end, **(self._describe() if self._describe else {})}
        if len(self.ends) > _ENDS:
            self.ends.popitem(last=False)
        return "done %s %s" % (name, json.dumps(self.ends[name]))
