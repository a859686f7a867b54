"""Resuming: a job goes on from its last checkpoint, on the same machine or another.

Called by `magic.again` and `cli`. Promises: a job that may still run is not begun a second time; a checkpoint that does not match
its record is passed over; a file that takes another's place at home leaves the earlier one where it can be found.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.errors import CholineError, RequestError, UnknownJob
from choline_jupyter.model.event import Kind
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.names import check_identifier
from choline_jupyter.session.checkpoint_policy import read_policy
from choline_jupyter.session.checkpoint_record import FOLDER, Kept, find_note, list_kept
from choline_jupyter.session.checkpoint_store import CheckpointStore, check_store
from choline_jupyter.session.checkpoint_uploads import find_store, note_store
from choline_jupyter.session.homecoming import find_earlier
from choline_jupyter.session.option_reader import Values
from choline_jupyter.session.project import find_project
from choline_jupyter.store.tree import Tree

if TYPE_CHECKING:
    from choline_jupyter.session.bridge import Bridge

_READ = 1 << 20
_TEXT = 200
_NEWEST = 10  # announcements that are looked at before a job goes on

Confirm = Callable[[str], bool]


@dataclass(frozen=True)
class Resumption:
    """What a new attempt needs: the folder that it goes on in, and the files that go along."""

    name: str
    files: tuple[Path, ...]
    step: int | None
    source: str


def check_job(name: str) -> str:
    """A job's whole id; raises RequestError."""
    try:
        return check_identifier(name)
    except ValueError:
        raise RequestError(f"{name!r:.80} is no job.", "`choline runs` lists them.") from None


def read_training(options: Values, resumed: Resumption | None, job: str, directory: Path) -> dict[str, Any]:
    """What the options say of a job's checkpoints, for its header; raises RequestError. Its store is noted here only."""
    keep = options.text("keep")
    check_training(options)
    note_store(directory, resumed.name if resumed else job, options.text("store"), keep)
    told: dict[str, Any] = {"keep": keep, "patterns": list(options.list("checkpoint"))}
    return {**told, "name": resumed.name} if resumed else told


def check_training(options: Values) -> None:
    """Raise RequestError for what no checkpoint could be kept by; before anything is opened for the job."""
    read_policy(options.text("keep"))
    if options.text("store"):
        check_store(options.text("store") or "")


def add_files(options: Values, resumed: Resumption | None) -> Values:
    """The options of a job that also needs its checkpoint: that goes along without being asked about."""
    if resumed is None:
        return options
    return Values({**options.items, "with": (*options.list("with"), *map(str, resumed.files))})


def resume_job(bridge: Bridge, wanted: str, confirm: Confirm, url: str | None = None) -> Resumption:
    """Make sure that a job is over, have its checkpoints here, choose the newest whole one. Raises CholineError.

    `url`: of a store that may have what is lost here; without it, the job's own.
    """
    job = bridge.engine.store.find_job(wanted)
    if job is None:
        raise UnknownJob(f"There is no job {wanted!r:.80}.", "`%choline runs` lists them.")
    fence(bridge, job, confirm)
    row = next(row for row in bridge.engine.store.list_sessions() if row.id == job.session)
    root = find_project(Path(row.directory))
    events = [event for event in bridge.engine.store.read_job(job.id) if event.kind is Kind.CHECKPOINT][-_NEWEST:]
    name = check_identifier(events[-1].read_content().get("folder")) if events else job.id
    try:
        bridge.call(bridge.call(bridge.engine.join(row, follow=False)).pull(events)) if events else None
    except CholineError:
        pass  # its machine is gone: what is here counts
    restore(bridge.engine.directory, root, name, url)
    return choose(root, name, job.id, bridge.engine.directory)


def restore(directory: Path, root: Path, name: str, url: str | None) -> None:
    """Have here the newest checkpoint of each kind that the job's store has; one that cannot be asked is told of."""
    place = url or find_store(directory, name).get("url")
    if not place:
        return
    try:
        store = CheckpointStore(str(place))
        newest = {str(kept.record.get("source") or ""): kept for kept in _list_exact(store.list_kept(name))}
        for kept in newest.values():
            if not is_whole(Kept(root / FOLDER / name / kept.path.name, kept.record)):
                store.fetch(name, kept, Tree(str(root)))
                sys.stderr.write(f"choline: {kept.path.name} came from the store.\n")
    except RequestError:
        raise
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        why = error.message if isinstance(error, CholineError) else (str(error) or type(error).__name__)
        sys.stderr.write(f"choline: the store was not asked: {why:.{_TEXT}}\n")


def fence(bridge: Bridge, job: JobRow, confirm: Confirm) -> None:
    """Raise RequestError where the job may still run: two of them would overwrite each other's work."""
    engine = bridge.engine
    row = next((row for row in engine.store.list_sessions() if row.id == job.session), None)
    agent = bridge.call(engine.describe(row.provider, row.machine)) if row else None
    hosted = [one for one in (agent or {}).get("sessions", ()) if row and one["session"] == row.id]
    if any(job.id == one["running"] or job.id in one["queue"] for one in hosted):
        raise RequestError(f"Job {job.id} still runs.", f"`%choline attach {job.id}` shows it; interrupt it first.")
    if agent is None and row and row.provider != "local" and job.state.is_open:
        question = f"{row.machine} cannot be reached. If {job.id} still runs there, both will go on. Resume it here?"
        if not confirm(question):
            raise RequestError(f"Nobody knows whether {job.id} still runs on {row.machine}.", "Nothing was started.")
    if job.state.is_open:
        engine.store.save_job(replace(job, state=JobState.LOST))
    session = engine.sessions.get(job.session)
    if session is not None:
        bridge.post(session.checkpoints.refuse, job.id)


def choose(root: Path, name: str, job: str, directory: Path) -> Resumption:
    """The newest checkpoint that is whole; a noticed file is put back where it was written."""
    kept = _list_exact(list_kept(root, name))
    newest = next((one for one in reversed(kept) if is_whole(one)), None)
    if newest is None:
        what = f"Job {job} has made no checkpoint that is here."
        raise RequestError(what, "Run its cell again: it begins at the beginning.")
    source = str(newest.record.get("source") or "")
    if source:
        return Resumption(name, put_back(root, name, kept, directory), None, source)
    return Resumption(name, (newest.path, find_note(newest.path)), newest.record.get("step"), newest.path.name)


def put_back(root: Path, name: str, kept: Sequence[Kept], directory: Path) -> tuple[Path, ...]:
    """Of each file that was noticed the newest copy, in its place."""
    newest = {str(one.record["source"]): one for one in kept if one.record.get("source") and is_whole(one)}
    places = []
    for source, one in newest.items():
        target = root / source
        if not target.resolve().is_relative_to(root.resolve()) or ".." in Path(source).parts:
            continue
        if target.exists():
            earlier = find_earlier(directory) / name / source
            earlier.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(earlier, ignore_errors=True)
            shutil.move(target, earlier)
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if one.path.is_dir() else shutil.copy2)(one.path, target)
        places.append(target)
    return tuple(places)


def is_whole(kept: Kept) -> bool:
    """Whether every file of it is what its record says."""
    files: Sequence[Sequence[Any]] = kept.record.get("files") or [["", 0, kept.record.get("sha256")]]
    try:
        return all(_hash(kept.path / str(name) if name else kept.path) == digest for name, _, digest in files)
    except (OSError, ValueError, TypeError):
        return False


def find_code(job: JobRow) -> str:
    """A job's whole text; raises RequestError where the store has only its beginning."""
    digest = hashlib.sha256(job.code.encode(errors="surrogatepass")).hexdigest()
    if digest != job.code_digest:
        raise RequestError(f"The code of {job.id} is longer than what is kept.", "Run its cell with --resume instead.")
    return job.code


def _list_exact(kept: Iterable[Kept]) -> list[Kept]:
    """Those that can be gone on from."""
    return [one for one in kept if not one.record.get("preview")]


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_READ):
            digest.update(data)
    return digest.hexdigest()
