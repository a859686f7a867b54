"""A session on the move: what its machine tells of its names, their bytes on the way through here, and what became of each.

Called by `magic.relocation`. Promises: bytes pass as they are, nothing of them is decoded here; what a rented machine names
counts only where a cell of the user's names it, too; values too large for this disk stay, and are named.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.history import History
from choline_jupyter.capture.relocation import STATE, Given, Held, Relocation, find_source
from choline_jupyter.errors import CholineError
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.session.fetch import fetch_files
from choline_jupyter.session.report import render_duration
from choline_jupyter.session.results import Result, fetch, read_results

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession

_MOST = 10_000  # names
_MOVE = "move from "
_KINDS = ("module", "definition", "import", "alias", "state", "data", "fixed", "iterator")
_VALUES = ("data", "fixed", "iterator")  # an iterator of the standard library may have a form, too


class Past:
    """The cells that have run in a session and in those that it took over from, as far as the event store has them.

    `transform` makes them Python.
    """

    def __init__(self, store: EventStore, session: str, transform: Callable[[str], str]) -> None:
        self.jobs = list(_list_jobs(store, session))
        self.cells = History(["", *(transform(job.code) for job in self.jobs)])
        self.cells.count()
        for number, job in enumerate(self.jobs, 1):
            if job.state is not JobState.DONE:
                self.cells.note_failure(number)

    def find_job(self, number: int) -> JobRow:
        """The job that was cell `number`."""
        return self.jobs[number - 1]

    def measure(self, numbers: Iterable[int]) -> float:
        """The seconds that these cells took."""
        jobs = map(self.find_job, numbers)
        return sum((job.ended_at or 0.0) - (job.started_at or 0.0) for job in jobs if job.ended_at)


def name_move(old: str) -> str:
    """What the job is called that takes over from a session; it is found again by that."""
    return f"{_MOVE}{old}"


def read_inventory(events: Iterable[Event]) -> list[Held]:
    """The names that a machine tells of, each once; what makes no sense is left out."""
    found: dict[str, Held] = {}
    for event in events:
        told = _read(event).get("names")
        for entry in told if isinstance(told, list) else []:
            if isinstance(entry, list) and len(entry) == 3 and len(found) < _MOST:
                name, kind, of = map(str, entry)
                if name.isidentifier() and kind in _KINDS and (kind != "alias" or of.isidentifier()):
                    found.setdefault(name, Held(name, kind, of))
    return [one for one in found.values() if one.kind != "alias" or one.of in found]


def choose_known(held: Sequence[Held], cells: History, has_here: Callable[[str], bool]) -> list[Held]:
    """Of a machine that is not the user's own: those that the user's own text binds."""
    known = {one.name for one in held if cells.find_write(one.name) or has_here(one.name)}
    return [one for one in held if one.name in known and (one.kind != "alias" or one.of in known)]


def make_wish(held: Sequence[Held], cells: History, is_trusted: bool) -> dict[str, list[str]]:
    """What the old machine is asked for. Instances of the user's classes pass only where it is `is_trusted`."""
    classes = [one.name for one in held if one.kind == "definition" and find_source(cells, one.name)]
    return {
        "names": [one.name for one in held if one.kind in _VALUES],
        "states": [one.name for one in held if one.kind == "state"],
        "classes": classes if is_trusted else [],
    }


def collect(bridge: Bridge, old: LiveSession, events: Sequence[Event], wish: Mapping[str, list[str]]) -> Given:
    """Bring what the old machine gave, large values into files here that go with the last use of them."""
    inbox = bridge.engine.directory / "inbox"
    given = Given({}, {}, {})
    values, states, refused = dict[str, list[memoryview]](), dict[str, list[memoryview]](), dict[str, str]()
    wanted = [(name, name, values) for name in wish["names"]]
    wanted += [(STATE.format(name), name, states) for name in wish["states"]]
    results = read_results(events, [told for told, _, _ in wanted])
    for result, (_, name, kept) in zip(results, wanted, strict=True):
        if result.failure or result.why:
            refused[name] = result.why or result.failure
            continue
        try:
            kept[name] = bridge.call(_take(old, result, inbox))
        except CholineError as error:
            refused[name] = error.message
    return given._replace(values=values, states=states, refused=refused)


async def bring_left(store: EventStore, old: LiveSession) -> None:
    """Have at home what jobs were told to leave over there, each file as it is now. Raises HostError."""
    await old.finish_fetches()
    seen = set[str]()
    for job in store.list_jobs(old.row.id, limit=_MOST):  # newest first
        for event in reversed([one for one in store.read_job(job.id) if _was_left(one)]):
            entries = [entry for entry in old.files.take(event, is_asked=True) if entry.path not in seen]
            seen.update(entry.path for entry in entries)
            if entries:
                await fetch_files(old.connection, old.files, entries, event.job)


def render_relocation(moved: Relocation, past: Past) -> str:
    """A table: each name, and what became of it."""
    rows = [(name, _describe(moved, name), moved.lost.get(name, "")) for name in sorted(_list_names(moved))]
    if not rows:
        return "The session has no names."
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = ["  ".join([row[0].ljust(widths[0]), row[1].ljust(widths[1]), row[2]]).rstrip() for row in rows]
    if moved.cells:
        jobs = ", ".join(past.find_job(number).id for number in moved.cells)
        lines.append(f"Run again there: {jobs} (took {render_duration(past.measure(moved.cells))}).")
    return "\n".join(lines)


def _list_names(moved: Relocation) -> set[str]:
    return {*moved.carried, *moved.rewritten, *moved.replayed, *moved.needed, *moved.lost}


def _describe(moved: Relocation, name: str) -> str:
    if name in moved.lost:
        return "lost"
    size = f"{moved.carried.get(name, 0) / 1e6:,.1f} MB" if moved.carried.get(name, 0) >= 1e5 else ""
    carried = f"carried {size}".rstrip()
    if name in moved.carried and name not in moved.stateful:
        return carried
    if name in moved.rewritten:
        return "its text run again"
    how = "cells run again" if name in moved.replayed else "from this notebook"
    return f"{how}, its state {carried}" if name in moved.stateful else how


def _list_jobs(store: EventStore, session: str) -> list[JobRow]:
    """In their order."""
    seen, jobs = set[str](), list[JobRow]()
    while session and session not in seen:
        seen.add(session)
        own = store.list_jobs(session, limit=_MOST)
        jobs += [job for job in own if job.code and job.started_at]
        names = [job.name for job in own if job.name.startswith(_MOVE)]
        session = names[-1].removeprefix(_MOVE) if names else ""
    return sorted(jobs, key=lambda job: job.created_at)


async def _take(old: LiveSession, result: Result, inbox: Path) -> list[memoryview]:
    """The parts of a value; of a large one as they lie in a file that has no name any more."""
    if not result.blob:
        return [memoryview(bytes(part)) for part in result.parts]
    path = await fetch(old, result, inbox, lambda count: None)
    try:
        with path.open("rb") as file:
            whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    finally:
        path.unlink(missing_ok=True)
    parts, start = [], 0
    for size in result.sizes:
        parts.append(whole[start : start + size])
        start += size
    return parts


def _read(event: Event) -> dict[str, Any]:
    if event.kind is Kind.ARTIFACT:
        with suppress(ValueError):
            return event.read_content()
    return {}


def _was_left(event: Event) -> bool:
    told = _read(event)
    return "root" in told and not told.get("pull")
