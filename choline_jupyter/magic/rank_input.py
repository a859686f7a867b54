"""Questions and widgets of a session of several ranks: who is asked, and to which rank an answer goes.

Made by `magic.stage`, used by the thread that shows. A cell that all ranks run asks on all of them; its user is asked once,
by the first rank, and the answer is everybody's. When the first rank has ended, or does not run the cell, others ask.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from choline_jupyter.model.event import Event


class RankInput:
    """Remembers, by job, the first rank's answers and the questions of others that wait for them."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._ended: set[str] = set()  # jobs whose first rank asks no more
        self._answers: dict[str, list[str]] = defaultdict(list)
        self._counts: dict[tuple[str, int], int] = defaultdict(int)
        self._held: dict[str, list[tuple[int, Event]]] = defaultdict(list)
        self._comms: dict[str, int] = {}

    def begin(self, job: str, first: int) -> None:
        """A job whose first rank is not 0."""
        self._first[job] = first

    def is_for_user(self, event: Event) -> bool:
        """Whether the user is to be asked this; a question that others have asked is `take`n with its answer."""
        if event.series.rank == self._first.get(event.job, 0):
            return True
        number = self._counts[event.job, event.series.rank]
        self._counts[event.job, event.series.rank] += 1
        if event.job in self._ended and number >= len(self._answers[event.job]):
            return True
        self._held[event.job].append((number, event))
        return False

    def note_answer(self, event: Event, answer: str) -> None:
        """The user has answered; the answers to the first rank's questions are for all."""
        if event.series.rank == self._first.get(event.job, 0):
            self._answers[event.job].append(answer)

    def take(self, job: str) -> list[tuple[Event, str]]:
        """The questions whose answer is known by now."""
        answers = self._answers[job]
        known = [(event, answers[number]) for number, event in self._held[job] if number < len(answers)]
        self._held[job] = [held for held in self._held[job] if held[0] >= len(answers)]
        return known

    def note_end(self, event: Event) -> list[Event]:
        """A rank has ended the job; what only the first would have asked, the others are asked now."""
        if event.series.rank != self._first.get(event.job, 0):
            return []
        self._ended.add(event.job)
        return [held for _, held in self._held.pop(event.job, [])]

    def forget(self, job: str) -> None:
        """The job is over."""
        self._ended.discard(job)
        for kept in (self._first, self._answers, self._held):
            kept.pop(job, None)
        for key in [key for key in self._counts if key[0] == job]:
            del self._counts[key]

    def note_comm(self, comm_id: str, rank: int) -> None:
        """A rank has said something of its widget."""
        self._comms[comm_id] = rank

    def find_rank(self, content: dict[str, Any]) -> int:
        """The rank that a front end's comm message is for."""
        return self._comms.get(str(content.get("comm_id", "")), 0)
