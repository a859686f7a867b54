"""A job in a terminal: its text on standard output and error, its prompts from standard input.

Called by `cli`, in its main thread. Rich output shows as its text.
"""

from __future__ import annotations

import codecs
import getpass
import os
import sys
import threading
from typing import TYPE_CHECKING

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.session.interrupt import Interrupts
from choline_jupyter.session.job_end import is_end
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.outcome import Outcome, note_state, note_usage, tell_fetched, tell_notices
from choline_jupyter.session.report import render_text

if TYPE_CHECKING:
    from choline_jupyter.session.bridge import Bridge

_SCRIPT_FAILED = 1
_PIECE = 1 << 18  # bytes


class Console:
    """Shows one session's jobs."""

    def __init__(self, session: LiveSession, bridge: Bridge) -> None:
        self._session, self._bridge = session, bridge

    def follow(self, job: str) -> int:
        """Show a job until it ends and return its exit status; Ctrl-C interrupts it."""
        return find_status(self.watch(job))

    def watch(self, job: str) -> Outcome:
        """Show a job until it ends, and what became of it. Raises what has failed it."""
        outcome = Outcome()
        with Interrupts(lambda: self._bridge.post(self._session.interrupt, job)) as interrupts:
            while outcome.failure is None:
                event = self._session.feed.get(interrupts.patience)
                if event is None:
                    interrupts.check(job)
                    outcome.failure = self._session.failure
                elif event.job in (job, "") and self.show(event, outcome):
                    break
        tell_fetched(self._session)
        if outcome.failure:
            raise outcome.failure
        return outcome

    def show(self, event: Event, outcome: Outcome) -> bool:
        """One event of the job; True when it ends it."""
        if event.kind is Kind.STATE:
            note_state(event, outcome)
        elif event.kind is Kind.INPUT:
            self._ask(event)
        elif event.kind is Kind.ARTIFACT:
            tell_notices(self._session)
            outcome.artifacts.append(event)
        else:
            note_usage(event, outcome)
            write_event(event)
        return is_end(event)

    def pass_input(self) -> None:
        """Have what is typed here (or piped in) go to the script, until it ends."""
        self._session.typed.is_open = True
        threading.Thread(target=self._pass_pieces, name="choline-stdin", daemon=True).start()

    def _pass_pieces(self) -> None:
        """A line where somebody types, as much as there is of a pipe; no more is read before the other machine has it."""
        decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode  # what is no text comes there as it is
        number = 0
        while piece := _read_piece():
            number += 1
            self._bridge.call(self._session.type_text(number, decode(piece), is_end=False))
        self._bridge.call(self._session.type_text(number + 1, decode(b"", True), is_end=True))

    def _ask(self, event: Event) -> None:
        self._bridge.post(self._session.answer, event, input(str(event.read_content().get("prompt", ""))))


def _read_piece() -> bytes:
    """What is typed or piped in next; nothing at its end, and where nobody can type.

    Not through `sys.stdin.buffer`: Python dies at its end when a thread waits with that one's lock.
    """
    try:
        return os.read(sys.stdin.fileno(), _PIECE)
    except (OSError, ValueError, AttributeError):
        return b""


def write_event(event: Event) -> None:
    """An event's text, on the stream it belongs to."""
    stream = sys.stderr if _is_for_stderr(event) else sys.stdout
    stream.write(render_text(event))
    stream.flush()


def answer_on_terminal(question: str, is_secret: bool) -> str:
    """What ssh asks while a connection is made; raises EOFError where nobody is there."""
    if not sys.stdin.isatty():
        raise EOFError
    return getpass.getpass(question) if is_secret else input(question)


def find_status(outcome: Outcome) -> int:
    """The exit status that a shell expects: a script's own, 128 + signal, 1 for a cell that failed."""
    code = outcome.reply.get("exit")
    if isinstance(code, int):
        return code if code >= 0 else 128 - code
    return 0 if outcome.reply.get("status") == "ok" else _SCRIPT_FAILED


def _is_for_stderr(event: Event) -> bool:
    return event.kind in (Kind.ERROR, Kind.GAP) or (
        event.kind is Kind.STREAM and event.read_content().get("name") == "stderr"
    )
