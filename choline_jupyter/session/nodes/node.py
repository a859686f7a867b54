"""One machine of a script that runs on several: its session, what it has said, what it is told.

Made by `session.nodes.controller`; lives in the engine's loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from choline_jupyter.errors import CholineError
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.session.job_end import is_end
from choline_jupyter.session.outcome import explain_death

if TYPE_CHECKING:
    from choline_jupyter.session.live import LiveSession

Facts = dict[str, Any]


class Listener(Protocol):
    """Who follows the nodes; `session.nodes.controller` implements it."""

    def show(self, node: Node, event: Event) -> None:
        """Output of the script, or a notice."""

    def take_part(self, node: Node, fact: Facts) -> None:
        """A file of a checkpoint was written there."""

    def wake(self) -> None:
        """Something else has changed."""


class Node:
    """`place` is which of the nodes it is, from 0; `machine` how the user calls it.

    `meeting`, `reached` and `end` are what it has said last of each; they are None while that is to come.
    """

    def __init__(
        self, place: int, session: LiveSession, job: str, listener: Listener, now: Callable[[], float]
    ) -> None:
        self.place, self.session, self.job = place, session, job
        self.machine = session.row.machine
        self.meeting: Facts | None = None
        self.reached: Facts | None = None
        self.end: Facts | None = None  # of the attempt
        self.reply: Facts | None = None  # of the job: it is over
        self.death: CholineError | None = None
        self.stopped = ""  # why the machine itself has ended the session: somebody wanted that, or its budget is spent
        self.files: dict[str, str] = {}  # parts of checkpoints that lie there, by path and SHA-256
        self._placed = self._places = 0
        self._listener, self._now, self._number = listener, now, 0
        self._cut_at: float | None = None
        session.feed.on_arrival = self._consume
        self._consume()

    @property
    def is_placed(self) -> bool:
        """Whether all files that were sent are where they belong."""
        return self._placed >= self._places

    @property
    def has_ended(self) -> bool:
        """Whether nothing of the job is left there."""
        return self.reply is not None or self.death is not None or self.session.has_ended

    def find_failure(self) -> CholineError | None:
        """What stands in the way for good."""
        return self.death or self.session.failure

    def measure_silence(self) -> float:
        """For how many seconds there has been no connection."""
        if self.session.connection.is_connected:
            self._cut_at = None
            return 0.0
        self._cut_at = self._now() if self._cut_at is None else self._cut_at
        return self._now() - self._cut_at

    def tell(self, word: str, body: bytes = b"", **facts: Any) -> None:
        """Have it do something."""
        self._number += 1
        self._places += word == "place"
        self.session.order({"number": self._number, "do": word, **facts}, body)

    def begin(self, group: Facts) -> None:
        """Start an attempt there."""
        self.meeting = self.reached = self.end = None
        self.tell("begin", group=group)

    def _consume(self) -> None:
        while event := self.session.feed.get_at_once():
            self._take(event)
        self._listener.wake()

    def _take(self, event: Event) -> None:
        if event.job not in (self.job, ""):
            return
        fact = event.read_content() if event.kind is Kind.STATE else {}
        state = fact.get("state")
        if state == "meeting":
            self.meeting = fact
        elif state == "reached":
            self.reached = fact
        elif state == "attempt":
            self.end = fact
        elif state == "placed":
            self._placed += 1
        elif state == "part":
            self._listener.take_part(self, fact)
        elif state == "done":
            self.reply = fact["reply"]
        elif is_end(event):
            is_loss = self.session.has_ended or fact.get("loss")  # the former: nobody there has said so
            self.stopped = "" if is_loss else str(fact.get("stopped") or "")
            self.death = explain_death(fact)
        else:
            self._listener.show(self, event)
