"""The stage of one session in the notebook: takes events out of its feed and shows them, one thread at a time.

Made by `magic.notebook` per session. Three callers: the running cell (until its job ends), the kernel's main loop
(what background threads and widgets put out between cells), and a comm handler that waits for its answer.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from choline_jupyter.magic.comms import RemoteComms
from choline_jupyter.magic.rank_input import RankInput
from choline_jupyter.magic.rank_output import RankOutput
from choline_jupyter.magic.screen import Screen, explain_gap
from choline_jupyter.model.event import SUPERVISOR_RANK, Event, Kind, Series
from choline_jupyter.model.session import Trust
from choline_jupyter.session.interrupt import Interrupts
from choline_jupyter.session.job_end import is_end, is_rank_end
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.outcome import Outcome, note_state, note_usage, tell, tell_fetched, tell_notices
from choline_jupyter.session.trust import OutputFilter

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.magic.job_element import JobElement
    from choline_jupyter.session.bridge import Bridge

_ANSWER_WAIT = 2.0
_SLICE = 0.05
_GRACE = 0.15
_JOINED = 1 << 18
_DEATHS = ("died", "ended")


class Stage:
    """Shows one session. `_turn` is held by whoever takes events out of the feed."""

    def __init__(self, session: LiveSession, screen: Screen, bridge: Bridge, schedule: Callable[..., None]) -> None:
        self.session, self.screen = session, screen
        self._bridge, self._schedule = bridge, schedule
        row = session.row
        self._output = RankOutput(screen, session.ranks > 1, row.trust is not Trust.OWN, row.provider == "local")
        self._input = RankInput()
        self._turn = threading.Lock()
        self._mine: set[str] = set()
        self._filters: dict[tuple[str, int], OutputFilter] = {}
        self._idles: dict[str, threading.Event] = {}
        self._comms = RemoteComms(self._pass_comm)
        self._is_scheduled = False
        self.seen: dict[Series, int] = {}
        self._attached: set[str] = set()
        self._element: JobElement | None = None
        self._redirected: dict[str, str] = {}
        session.feed.on_arrival = self._note_arrival

    def follow(
        self,
        job: str,
        outcome: Outcome | None = None,
        element: JobElement | None = None,
    ) -> Outcome:
        """Show events until this job ends; an interrupt of the local kernel interrupts the job."""
        self._mine.add(job)
        self._element = element
        outcome = outcome or Outcome()
        with self._turn, Interrupts(lambda: self._interrupt(job)) as interrupts:
            if outcome.question:
                self._ask(outcome.question, interrupts)
            while outcome.failure is None:
                event = self.session.feed.get(interrupts.patience)
                if element:
                    element.tick()
                if event is None:
                    self._output.tick()
                    interrupts.check(job)
                    outcome.failure = self.session.failure
                elif self._take(event, job, outcome, interrupts):
                    break
        tell_fetched(self.session)
        return outcome

    def begin(self, job: str, ranks: Sequence[int]) -> None:
        """A job that only these ranks run is about to be sent."""
        self._input.begin(job, min(ranks))

    def adopt(self, job: str) -> None:
        """Show what this job puts out from now on, between cells too."""
        self._mine.add(job)

    def replay(self, store: EventStore, job: str) -> tuple[Outcome, bool]:
        """Show a job in the cell that runs now, from its first line to where live events go on; whether it has ended."""
        self._mine.add(job)
        self._attached.add(job)
        self._redirected.pop(job, None)
        if not self.session.is_following:
            self.seen = store.find_contiguous(self.session.row.id)
        else:
            self._show_waiting()
            store.flush()
        self._output.forget(job)  # also what has just been shown, which comes again now
        outcome, ended = Outcome(), False
        for event in store.read_job(job):
            if event.seq <= self.seen.get(event.series, 0):
                ended = self._replay_event(event, outcome) or ended
        return outcome, ended

    def _replay_event(self, event: Event, outcome: Outcome) -> bool:
        self._redirect(event)
        if event.kind is Kind.STATE:
            self._note(event, outcome)
        elif event.kind is Kind.INPUT:
            outcome.question = event
        elif event.kind is Kind.ARTIFACT:
            outcome.artifacts.append(event)
            self._show(event)
        else:
            self._show(event)
        return self._end(event)

    def _redirect(self, event: Event) -> None:
        """A job that was attached to shows in the cell that attached, not in the one it came from."""
        parent = event.read_parent_id() or ""
        if parent and event.job not in self._redirected:
            self._redirected[event.job] = parent
            self.screen.begin(parent)

    def _take(self, event: Event, job: str, outcome: Outcome, interrupts: Interrupts) -> bool:
        """One event while a cell waits; True when it ends the job."""
        self.seen[event.series] = event.seq
        if event.job != job:
            self._show_other(event)
            return False
        if event.job in self._attached:
            self._redirect(event)
        if event.kind is Kind.INPUT:
            self._ask(event, interrupts)
        elif event.kind is Kind.STATE:
            self._note(event, outcome)
            for question in self._input.note_end(event) if is_rank_end(event) else ():
                self._ask_user(question, interrupts)
        elif event.kind is Kind.ARTIFACT:
            outcome.artifacts.append(event)
            self._show(event)
        else:
            note_usage(event, outcome)
            outcome.is_full = outcome.is_full or event.kind is Kind.GAP
            outcome.telling.take(event)
            if self._element:
                self._element.note(event)
            self._show(self._join(event))
        return self._end(event)

    def _end(self, event: Event) -> bool:
        """Whether an event ends its job; then the ranks' output does, too."""
        if not is_end(event):
            return False
        self._output.end(event.job, event.read_content().get("reply") or {})
        self._input.forget(event.job)
        return True

    def _join(self, event: Event) -> Event:
        """Put text that is there already into one message: a notebook with 20,000 short ones is slow."""
        if event.kind is not Kind.STREAM:
            return event
        content = event.read_content()
        pieces, size = [str(content["text"])], len(event.content)
        while size < _JOINED:
            following = self.session.feed.peek()
            if following is None or not _continues(event, following, content["name"]):
                break
            self.session.feed.get_at_once()
            self.seen[following.series] = following.seq
            pieces.append(str(following.read_content()["text"]))
            size += len(following.content)
        if len(pieces) == 1:
            return event
        text = {"name": content["name"], "text": "".join(pieces)}
        return dataclasses.replace(event, content=json.dumps(text).encode())

    def _show_other(self, event: Event) -> None:
        """What belongs to no running cell: background output of our jobs, widgets, other notebooks' jobs."""
        self.seen[event.series] = event.seq
        if event.kind is Kind.STATE:
            self._note_other(event)
            self._end(event)
        elif event.kind is Kind.COMM or event.job in self._mine or not event.job:
            self._show(event)

    def _note(self, event: Event, outcome: Outcome) -> None:
        kept = self._filter(event)
        if kept:
            note_state(kept, outcome)
        if event.series.rank == SUPERVISOR_RANK and event.read_content().get("state") in _DEATHS:
            self._comms.clear()

    def _note_other(self, event: Event) -> None:
        """A state outside of any cell: of the session, of other notebooks' jobs, or a widget's message is handled."""
        if event.series.rank == SUPERVISOR_RANK and not event.job:
            self._note(event, Outcome())
        handled = self._idles.get(event.read_parent_id() or "")
        if handled:
            handled.set()

    def _show(self, event: Event) -> None:
        if event.kind is Kind.GAP:
            tell(explain_gap(event.read_content()))
            return
        if event.kind is Kind.ARTIFACT:
            tell_notices(self.session)
            return
        if event.kind is Kind.COMM:
            content = event.read_content()
            self._input.note_comm(str(content.get("comm_id", "")), event.series.rank)
            if not self._comms.note(event.find_type(), content):
                return
        kept = self._filter(event)
        if kept:
            self._output.show(kept)

    def _filter(self, event: Event) -> Event | None:
        """The event as its machine's trust allows it; untouched bytes where everything may pass."""
        if self.session.row.trust is not Trust.RENTED:
            return event
        key = (event.job, event.series.rank)
        one = self._filters.setdefault(key, OutputFilter(self.session.row.trust))
        kept = one.filter_message(event.kind, event.read_content(), json.loads(event.metadata))
        if kept is None:
            return None
        return dataclasses.replace(
            event, content=json.dumps(kept[0]).encode(), metadata=json.dumps(kept[1]).encode(), buffers=()
        )

    def _ask(self, event: Event, interrupts: Interrupts) -> None:
        """Ask the user, unless the answer to a first rank's question is this one's, too."""
        if self._input.is_for_user(event):
            self._ask_user(event, interrupts)
        for question, answer in self._input.take(event.job):
            self._bridge.post(self.session.answer, question, answer)

    def _ask_user(self, event: Event, interrupts: Interrupts) -> None:
        wish = self._filter(event)
        content = wish.read_content() if wish else {}
        try:
            with interrupts.let_through():
                answer = self.screen.ask(str(content.get("prompt", "")), bool(content.get("password")))
        except KeyboardInterrupt:
            self._interrupt(event.job)
        else:
            self._input.note_answer(event, answer)
            self._bridge.post(self.session.answer, event, answer)

    def _interrupt(self, job: str) -> None:
        """Jupyter interrupts a kernel before it ends it, and what runs elsewhere is not to end with it."""
        self._bridge.post(self._interrupt_soon, job)
        if not self.session.connection.is_connected:
            tell("choline: the connection is cut; the interrupt is delivered when it is back.\n")

    def _interrupt_soon(self, job: str) -> None:
        """In the engine's loop: as soon as a shutdown that the interrupt announces would have come."""

        def interrupt() -> None:
            if not self.screen.is_ending:
                self.session.interrupt(job)

        asyncio.get_running_loop().call_later(_GRACE, interrupt)

    def _pass_comm(self, type_: str, message: dict[str, Any]) -> None:
        """A front end's comm message, on any of the local kernel's threads; returns when it has been handled."""
        header = message["header"]
        handled = self._idles[header["msg_id"]] = threading.Event()
        buffers = [bytes(part) for part in message.get("buffers") or ()]
        frame = {
            "type": type_, "msg_id": header["msg_id"], "content": message["content"], "sizes": [len(b) for b in buffers],
            "metadata": message.get("metadata") or {}, "subshell": bool(header.get("subshell_id")),
            "rank": self._input.find_rank(message["content"]),
        }  # fmt: skip
        self._bridge.post(self.session.pass_comm, frame, b"".join(buffers))
        self._wait(handled)
        self._idles.pop(header["msg_id"], None)

    def _wait(self, handled: threading.Event) -> None:
        """Until the remote has handled it: showing what comes, unless another thread is doing that.

        While a cell is being followed the remote kernel is busy, and a local one would not answer sooner either.
        """
        deadline = time.monotonic() + _ANSWER_WAIT
        while not handled.is_set() and time.monotonic() < deadline:
            if self._turn.acquire(blocking=False):
                try:
                    event = self.session.feed.get(_SLICE)
                    if event:
                        self._show_other(event)
                finally:
                    self._turn.release()
            else:
                handled.wait(_SLICE)
                deadline = time.monotonic() + _ANSWER_WAIT

    def _note_arrival(self) -> None:
        """Engine's thread: have the kernel's main loop show it, unless somebody is showing already."""
        if not self._is_scheduled and not self._turn.locked():
            self._is_scheduled = True
            self._schedule(self._show_waiting)

    def _show_waiting(self) -> None:
        """Main loop, between cells: show what has come."""
        self._is_scheduled = False
        if self._turn.acquire(blocking=False):
            try:
                while (event := self.session.feed.get_at_once()) is not None:
                    self._show_other(event)
            finally:
                self._turn.release()


def _continues(event: Event, following: Event, name: str) -> bool:
    return (
        following.kind is Kind.STREAM
        and following.job == event.job
        and following.parent == event.parent
        and following.read_content().get("name") == name
    )
