"""One job on the ranks of a session: for which ranks it is, what each is sent, which have ended it and how.

Made by `agent.rank_group`; pure book-keeping, no I/O but a link to a file that comes with the job.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Any

from choline_jupyter.wire.frame import Frame

_LOSSES = ("RuntimeError", "DistBackendError", "DistNetworkError", "DistError")
_LOST = re.compile(r"gloo|NCCL|Connection (closed|reset) by peer|Broken pipe")


class RankJob:
    """`where` is what each rank said last of where its main thread waits; `told` what was told of it."""

    def __init__(self, frame: Frame, size: int, generation: int) -> None:
        self._frame, self._generation = frame, generation
        self.name: str = frame.header["job"]
        wanted = frame.header.get("on") or range(size)
        self.on = sorted({int(number) for number in wanted if 0 <= int(number) < size}) or [0]
        self.is_whole = len(self.on) == size
        self.missing = sorted(set(range(size)) - set(self.on))
        self.has_files = any(frame.header.get(key) is not None for key in ("files", "brought"))
        self.announcer = -1  # the rank that tells which files all have made
        self.ends: dict[int, dict[str, Any]] = {}
        self.where: dict[int, dict[str, Any]] = {}
        self.told: set[str] = set()
        self._order: list[int] = []
        self._unsent = list(self.on)

    @property
    def is_over(self) -> bool:
        return len(self.ends) == len(self.on)

    @property
    def is_out_of_step(self) -> bool:
        """Whether the ranks' process group can be used no more: cut, a member short, or not at the same collective."""
        ends = self.ends.values()
        if any(end.get("died") or "aborted" in end or is_bereft(end) for end in ends):
            return True
        has_failed = any(end.get("status") != "ok" for end in ends)
        return has_failed and len({end.get("sequence") for end in ends}) > 1

    def list_running(self) -> list[int]:
        return [number for number in self.on if number not in self.ends]

    def list_first(self) -> list[int]:
        """Who begins at once: everybody, or where files come along the one who unpacks them."""
        first = self.on[:1] if self.has_files else list(self.on)
        self._unsent = self.on[len(first) :]
        return first

    def list_waiting(self) -> list[int]:
        """Who has not been sent the job yet; from now on they have."""
        waiting, self._unsent = self._unsent, []
        return [number for number in waiting if number not in self.ends]

    def note_end(self, number: int, end: dict[str, Any]) -> bool:
        """A rank has ended; False when that was known."""
        if number not in self.on or number in self.ends:
            return False
        self.ends[number] = end
        self._order.append(number)
        return True

    def make_frame(self, number: int) -> Frame:
        """What one rank is sent: names go to each, files and what is to be brought home concern the first."""
        head = {**self._frame.header, "on": self.on, "generation": self._generation, "is_whole": self.is_whole}
        if number != self.on[0]:
            head["out"] = None
            head["files"] = head["brought"] = None
            if head.get("file"):
                head["file"] = _link(head["file"], number)
        return self._frame._replace(header=head)

    def describe_pull(self) -> dict[str, Any]:
        head = self._frame.header
        return {"attempt": head.get("attempt", 1), "pull": head.get("pull", True) is not False}

    def make_reply(self) -> dict[str, Any]:
        """How the job ended: as the first rank that failed by itself, else as the first; without its bulky parts."""
        failed = [self.ends[number] for number in self._order if self.ends[number].get("status") != "ok"]
        causes = [end for end in failed if "aborted" not in end and not is_bereft(end)]
        end = (causes or failed or [self.ends[self.on[0]]])[0]
        counts = [end["execution_count"] for end in self.ends.values() if end.get("execution_count")]
        reply: dict[str, Any] = {key: end[key] for key in ("status", "ename", "evalue") if key in end}
        reply["ranks"] = {str(number): _outline(self.ends[number]) for number in self._order}
        return {**reply, "execution_count": counts[0] if counts else None}


def _outline(end: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: end[key] for key in ("status", "ename", "died", "aborted", "evalue") if key in end}
    return {**kept, "bereft": True} if is_bereft(end) else kept


def is_bereft(end: dict[str, Any]) -> bool:
    """Whether a rank failed only because another is gone: torch has no type of its own for that everywhere."""
    return end.get("ename") in _LOSSES and bool(_LOST.search(str(end.get("evalue"))))


def _link(path: str, number: int) -> str:
    """A name of its own for each rank, as each removes what it has read."""
    own = "%s.r%d" % (path, number)
    with suppress(FileExistsError):
        os.link(path, own)
    return own
