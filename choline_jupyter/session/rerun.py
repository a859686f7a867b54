"""Running a job once more: `resume` from its last checkpoint, `rerun` from the beginning, as it was.

Called by `magic.notebook`. The cells of the same session that have made what a cell relies on are run before it, where their
names are not there any more. `rerun` takes a session of its own and says what is no longer the same: the commit, the files,
the packages.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from choline_jupyter.capture.history import History
from choline_jupyter.errors import RequestError, UnknownJob
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.requirement import normalize
from choline_jupyter.session.bulk import hash_file
from choline_jupyter.session.checkpoint_record import list_kept
from choline_jupyter.session.job_record import find_commit
from choline_jupyter.session.option_reader import Values
from choline_jupyter.session.option_table import CELL, TABLE
from choline_jupyter.session.options import VerbRequest
from choline_jupyter.session.project import find_project
from choline_jupyter.session.resumption import find_code

if TYPE_CHECKING:
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.spec import SessionSpec

_MOST = 5  # names in one sentence

Transform = Callable[[str], str]
IsOurs = Callable[[str], bool]
Brought = Callable[[str], set[str]]  # by job, the names that went along with it


class Plan(NamedTuple):
    """What is said first, and the cells that run, each with its options; the last is the job itself."""

    sentences: list[str]
    runs: list[tuple[str, Values]]


def plan_again(bridge: Bridge, request: VerbRequest, spec: SessionSpec, transform: Transform, is_ours: IsOurs) -> Plan:
    """`spec` is the session that the options mean; `is_ours(name)`: the notebook has bound it last. Raises CholineError."""
    store = bridge.engine.store
    job = store.find_job(request.positionals[0])
    if job is None:
        raise UnknownJob(f"There is no job {request.positionals[0]!r:.80}.", "`%choline runs` lists them.")
    row = next((row for row in store.list_sessions() if row.id == job.session), None)
    if row is None or not job.code or job.notebook == "":
        raise RequestError(f"{job.id} is no cell.", f"A script: choline SCRIPT.py --resume {job.id}")
    makers = list_makers(job, store.list_jobs(job.session, limit=10_000), transform, is_ours)
    base = {**as_cell(request.options).items, "resume": None, "detach": None, "out": None}
    sentences: list[str] = []
    if request.verb == "rerun":
        base |= _choose_place(request.options, row, job)
        sentences = [*bridge.call(_tell_changes(bridge, job, row))]
    elif spec.matches(row) and _has_names(bridge, row, job):
        makers = []
    if makers:
        sentences.append(f"first the cells that it relies on: {', '.join(maker.id for maker in makers)}")
    last = {**base, "out": request.options.text("out"), "detach": request.options.items["detach"]}
    last["resume"] = job.id if request.verb == "resume" else None
    runs = [(find_code(maker), Values(base)) for maker in makers]
    return Plan(sentences, [*runs, (find_code(job), Values(last))])


def as_cell(options: Values) -> Values:
    """A verb's options as those of a cell, which has more; what was not given is None."""
    return Values({**{option.name: None for option in TABLE.list_options(CELL)}, **options.items})


def list_makers(
    job: JobRow,
    jobs: Sequence[JobRow],
    transform: Transform,
    is_ours: IsOurs,
    find_brought: Brought = lambda job: set(),
) -> list[JobRow]:
    """The earlier cells of a session that have made or changed what a cell reads, in their order; the rest goes along anew.

    What went along with a job, by `find_brought`, no earlier one has to make for it.
    """
    earlier = [one for one in jobs if one.created_at < job.created_at and one.code and one.state is JobState.DONE]
    earlier.sort(key=lambda one: one.created_at)
    cells = History([transform(one.code) for one in [*earlier, job]])
    cells.count()
    wanted = {name for name in cells.find_cell(len(earlier)).names.reads if not is_ours(name)} - find_brought(job.id)
    found = []
    for place in range(len(earlier) - 1, -1, -1):
        cell = cells.find_cell(place)
        if wanted & (cell.names.writes | cell.changes) or cell.effects:
            found.append(earlier[place])
            needs = {name for name in cell.names.reads if not is_ours(name)}
            wanted = (wanted - (cell.names.writes - cell.names.reads)) | needs
        wanted -= find_brought(earlier[place].id)
    return found[::-1]


def _has_names(bridge: Bridge, row: SessionRow, job: JobRow) -> bool:
    """Whether the kernel that ran a job is still there, with what the cells before have made."""
    session = bridge.engine.sessions.get(row.id)
    agent = bridge.call(bridge.engine.describe(row.provider, row.machine)) or {}
    hosted = next((one for one in agent.get("sessions", ()) if one["session"] == row.id), None)
    return bool(session and not session.deaths and hosted and hosted["alive"] and job.state is not JobState.LOST)


def _choose_place(options: Values, row: SessionRow, job: JobRow) -> dict[str, Any]:
    """Where it ran, in a session of its own, unless the options say otherwise."""
    told: dict[str, Any] = {"session": options.text("session") or f"{job.id} again"}
    if not any(options.has(name) for name in ("host", "provider", "isolated")):
        told["host"] = row.machine if row.provider == "ssh" else None
        told["isolated"] = True if row.machine.endswith("isolated") else None
    return told


async def _tell_changes(bridge: Bridge, job: JobRow, row: SessionRow) -> list[str]:
    """What is not as it was, as far as that was written down."""
    root = find_project(Path(row.directory))
    record = next((kept.record for kept in reversed(list(list_kept(root))) if kept.record.get("job") == job.id), None)
    if record is None:
        return ["nothing was written down of its commit and packages, as it has saved no checkpoint"]
    found = []
    if record.get("git") != find_commit(root):
        found.append(
            f"the commit was {str(record.get('git') or 'none')[:12]}, it is {find_commit(root)[:12] or 'none'}"
        )
    if row.provider == "local":
        found += _list_packages(record)
    memory = bridge.engine.directory / "files" / f"{row.id}.json"
    changed = [path async for path in _list_changed(memory)]
    if changed:
        more = f" and {len(changed) - _MOST} more" if len(changed) > _MOST else ""
        found.append(f"files are not what they were: {', '.join(changed[:_MOST])}{more}")
    return found or ["commit, packages and files are what they were"]


def _list_packages(record: dict[str, Any]) -> Iterator[str]:
    """Packages of this environment that had another version."""
    there = {normalize(one.partition("==")[0]): one.rpartition("==")[2] for one in record.get("packages") or ()}
    here = {
        normalize(one.metadata["Name"]): one.version
        for one in importlib.metadata.distributions()
        if one.metadata["Name"]
    }
    changed = [
        f"{name} {version} (now {here.get(name, 'none')})"
        for name, version in there.items()
        if here.get(name) != version
    ]
    if changed:
        more = f" and {len(changed) - _MOST} more" if len(changed) > _MOST else ""
        yield f"packages are not what they were: {', '.join(changed[:_MOST])}{more}"


async def _list_changed(memory: Path) -> Any:
    """Files that the session had, as they were sent or came home last."""
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return
    for path, digest in known.items():
        if len(str(digest)) == 64 and "/checkpoints/" not in path:
            try:
                is_same = await hash_file(Path(path)) == digest
            except OSError:
                is_same = False
            if not is_same:
                yield path
