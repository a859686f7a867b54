"""What became of a job, and how the local cell ends because of it.

Filled by `magic.stage` or `cli` while they follow a job, read when the job is over.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

from choline_jupyter.errors import CholineError, DiskFull, KernelDied, OutOfMemory, make_remote_exception
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.session.datasets import render_download
from choline_jupyter.session.progress_record import Telling
from choline_jupyter.session.rank_text import explain_waiting, name_ranks
from choline_jupyter.session.rent.waiting import can_overwrite
from choline_jupyter.session.telemetry_text import read_telemetry

if TYPE_CHECKING:
    from choline_jupyter.session.live import LiveSession

_WIDTH = 78
_NOTICES = {
    "queued": "choline: another cell runs in this session; this one waits for its turn.\n",
    "preparing": "choline: {stage} ...\n",
    "notice": "choline: {stage}\n",
    "moved": "choline: {wanted} cannot be made on that machine; the cell runs in {directory}. Paths that begin in the notebook's "
    "folder work, those that are spelled out whole do not.\n",
    "unserved": "choline: {path} was asked for while nobody was connected; after {wait} s the cell was told that it does not "
    "exist. --with sends it ahead; `wait` under [files] in config.toml says how long to wait.\n",
    "unwritten": "choline: a file that the cell asked for could not be written on that machine: {reason}.\n",
    "continued": "choline: {text}.\n",
    "restarted": "choline: the session's kernel was started anew; names from before are gone.\n",
}


class Outcome:
    """What became of a job while it was followed.

    `question` is what it still asks when its past has been shown, `artifacts` are what it has announced for bringing home,
    `telling` is how far it is, `telemetry` what each rank has told last of what it took of its machine.
    """

    def __init__(self) -> None:
        self.question: Event | None = None
        self.artifacts: list[Event] = []
        self.telling = Telling()
        self.telemetry: dict[int, dict[str, Any]] = {}
        self.is_full = False
        self.reply: dict[str, Any] = {}
        self.rank_reply: dict[str, Any] = {}  # of the first of several ranks that has ended
        self.failure: CholineError | None = None


def raise_outcome(outcome: Outcome) -> None:
    """End the local cell as the remote one ended; returns when it succeeded."""
    if outcome.failure:
        raise outcome.failure
    if outcome.is_full:
        raise DiskFull("The disk that keeps this session's output is full.", "Free some space there and run it again.")
    if outcome.reply.get("status") == "error":
        raise make_remote_exception(outcome.reply, is_shown=True)


def note_state(event: Event, outcome: Outcome) -> None:
    """A state event of the job; what the user should know at once is written, the rest kept."""
    fact = event.read_content()
    state = fact.get("state")
    if state == "done":
        outcome.reply = {**outcome.rank_reply, **fact["reply"]}
        outcome.failure = explain_rank_death(outcome.reply)
    elif state == "rank_done":
        outcome.rank_reply = outcome.rank_reply or {"payload": fact["reply"].get("payload")}
    elif state == "waiting":
        tell(explain_waiting(fact))
    elif state == "answered":
        outcome.question = None
    elif state == "died":
        outcome.failure = explain_death(fact)
    elif state == "cancelled":
        reason = str(fact.get("reason")).rstrip(".")
        outcome.failure = KernelDied(f"The cell did not run: {reason}.", str(fact.get("hint") or "Run it again."))
    elif state in ("downloading", "downloaded"):
        tell_overwriting(render_download(fact), is_last=state == "downloaded")
    elif state in _NOTICES:
        tell(_NOTICES[state].format(**fact))


def note_usage(event: Event, outcome: Outcome) -> None:
    """Keep what an event tells of what the job took of its machine; any other event is passed over."""
    fact = read_telemetry(event) if event.kind is Kind.METRIC else None
    if fact is not None:
        outcome.telemetry[event.series.rank] = fact


def tell(text: str) -> None:
    """Write a notice of ours; flushed, because what a notebook relays next does not pass through this stream."""
    sys.stderr.write(text)
    sys.stderr.flush()


def tell_overwriting(text: str, is_last: bool) -> None:
    """Write a line in the place of the one before; where that cannot be, as in a file, the last one only."""
    if can_overwrite():
        tell(f"\r{text:<{_WIDTH}}{chr(10) * is_last}")
    elif is_last:
        tell(f"{text}\n")


def tell_notices(session: LiveSession) -> None:
    """What is to be said of files that came home."""
    for sentence in session.files.take_notices():
        tell(f"choline: {sentence}.\n")


def tell_fetched(session: LiveSession) -> None:
    """What is to be said of files that a job has asked for while it ran."""
    for sentence in session.served.take_notices():
        tell(f"choline: {sentence}.\n")
    tell_notices(session)


def explain_death(fact: dict[str, Any]) -> CholineError:
    """One sentence on how a kernel ended, one on what to do."""
    again = "Run the cell again: the session starts a new kernel, without the names of the old one."
    code = fact.get("code")
    if fact.get("oom"):
        return OutOfMemory("The kernel was killed because the machine ran out of memory.", again)
    if fact.get("stopped"):
        return KernelDied(
            f"The session ended while this ran: {fact['stopped']}.", "Run it again: that opens a new one."
        )
    if fact.get("reason"):
        return KernelDied(
            f"The kernel did not start: {str(fact['reason']).rstrip('.')}.", "`%choline doctor` shows what is missing."
        )
    if code is None:
        return KernelDied("The kernel ended without a trace of why.", again)
    if code < 0:
        return KernelDied(f"The kernel was ended by {_name_signal(-code)}.", again)
    return KernelDied(f"The kernel left with exit status {code}.", again)


def explain_rank_death(reply: dict[str, Any]) -> CholineError | None:
    """A job that ended because a rank's process did; None for any other."""
    if reply.get("ename") != "RankDied":
        return None
    dead = [int(rank) for rank, end in reply.get("ranks", {}).items() if end.get("died")]
    return KernelDied(
        f"{name_ranks(dead).capitalize()}: {reply.get('evalue')}; the other ranks keep their names.",
        "Run the cell again: a new process takes the rank, with only the names that come from this notebook.",
    )


def _name_signal(number: int) -> str:
    """`SIGSEGV`; a real-time signal has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
