"""Rebuilding a session on another machine: its files, its last checkpoints, the names that its cells had made, its open jobs.

Called by `session.recovery` when a machine is lost, and by whatever moves a session, once the session stands in its new epoch
(`LiveSession.go_on`, `open`). Runs in a worker thread of the engine, because files are read and hashed. What was sent before is
sent again from what is kept of it (`session.sent_jobs`); nothing is asked of the notebook.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from choline_jupyter.errors import HostError, RequestError
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.cargo import Cargo, Packed
from choline_jupyter.session.connection import Refused
from choline_jupyter.session.job_record import make_wish
from choline_jupyter.session.project import find_project
from choline_jupyter.session.rerun import list_makers
from choline_jupyter.session.resumption import Resumption, choose
from choline_jupyter.session.sent_jobs import SentJob, SentJobs
from choline_jupyter.wire.frame import Type

if TYPE_CHECKING:
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.engine import Engine
    from choline_jupyter.session.live import LiveSession


_TRIES = 4  # of sending what a job needs


class Rebuilt(NamedTuple):
    """A job as it goes on: the checkpoint that it goes on from, None where it begins at the beginning."""

    job: JobRow
    resumed: Resumption | None


async def rebuild(engine: Engine, session: LiveSession, jobs: Sequence[JobRow], tell: str = "") -> list[Rebuilt]:
    """Have a session's open jobs go on where it is now, behind what they rely on; `tell` begins what each job says of it.

    Raises CholineError.
    """
    from choline_jupyter.session.bridge import WorkerBridge  # which imports the engine, as whoever calls this does

    loop = asyncio.get_running_loop()
    builder = _Rebuilding(WorkerBridge(engine, loop), session)
    return await loop.run_in_executor(None, builder.run, list(jobs), tell)


def find_secrets(kept: SentJob, known: Mapping[str, str]) -> dict[str, str]:
    """The values of a job's secrets, as this process knows them or has them in its own environment."""
    return {name: value for name in kept.secrets if (value := known.get(name, os.environ.get(name))) is not None}


def check_jobs(directory: Path, session: str, jobs: Sequence[JobRow], known: Mapping[str, str]) -> str:
    """Why these jobs cannot be sent again; empty where they can. `known` are secrets of this process."""
    sent = SentJobs(directory, session)
    for job in jobs:
        kept = sent.load(job.id)
        missing = "what it was sent with is not kept" if kept is None else kept.lacks
        secrets = set(kept.secrets) - set(find_secrets(kept, known)) if kept else set()
        missing = missing or (f"its secret {min(secrets)} is not known here" if secrets else "")
        if missing:
            return f"{job.id} cannot be sent again: {missing}"
    return ""


class _Rebuilding:
    def __init__(self, bridge: Bridge, session: LiveSession) -> None:
        self._bridge, self._session = bridge, session
        self._store = bridge.engine.store
        self._root = find_project(Path(session.row.directory))
        self._sent = session.sent
        self._folder: str | None = None  # that the cells before have gone to
        self._left = 0  # cells that do not run again

    def run(self, jobs: list[JobRow], tell: str) -> list[Rebuilt]:
        """In a worker."""
        known = list(self._session.files.sync.list_known())
        self._session.files.sync.drop(known)  # nothing of it is over there
        rebuilt = [Rebuilt(job, self._find_checkpoint(job)) for job in jobs]
        files = [*known, *(str(path) for one in rebuilt if one.resumed for path in one.resumed.files)]
        for step in self._list_steps(jobs[0]) if jobs else ():
            files = self._replay(*step, files)
        for one in rebuilt:
            files = self._send(one, files, tell)
        return rebuilt

    def _find_checkpoint(self, job: JobRow) -> Resumption | None:
        name = str((self._load(job).header.get("training") or {}).get("name") or job.id)
        try:
            return choose(self._root, name, job.id, self._store.directory)
        except (RequestError, OSError):
            return None

    def _load(self, job: JobRow) -> SentJob:
        kept = self._sent.load(job.id)
        return kept or SentJob("", {"msg_id": job.id}, [], [], [])

    def _list_steps(self, first: JobRow) -> list[tuple[JobRow, str]]:
        """The jobs before the first that goes on, each with the code of it that has to run; names that came along all come."""
        jobs = self._store.list_jobs(self._session.row.id, limit=10_000)
        makers = {job.id for job in list_makers(first, jobs, _transform, lambda name: False, self._find_brought)}
        earlier = sorted((job for job in jobs if job.created_at < first.created_at), key=lambda job: job.created_at)
        steps = []
        for job in earlier:
            kept = self._load(job)
            self._folder = kept.header.get("cwd") or self._folder
            self._left += job.state is JobState.DONE and bool(job.code) and job.id not in makers
            if job.id in makers or kept.acts:
                steps.append((job, kept.code if job.id in makers else ""))
        return steps

    def _find_brought(self, job: str) -> set[str]:
        kept = self._sent.load(job)
        return kept.list_names() if kept else set()

    def _replay(self, job: JobRow, code: str, files: list[str]) -> list[str]:
        """What an earlier job has made, once more; what it shows is shown nowhere."""
        kept, name = self._load(job), make_identifier("j")
        self._session.replays[name] = job.id
        header, body = self._pack(kept, files)
        data = code.encode(errors="replace")
        training = {**make_wish(self._session.row, job.id, kept.header.get("training"))}
        header |= {"session": self._session.row.id, "job": name, "msg_id": name, "attempt": 1, "code": len(data)}
        header |= {"training": training, "allow_stdin": False, "out": None, "pull": False}
        header["secrets"] = find_secrets(kept, self._session.secrets)
        self._session.mask.add(header["secrets"].values())
        self._bridge.post(self._session.connection.ask, Type.RUN, header, data + body)
        return []

    def _send(self, one: Rebuilt, files: list[str], tell: str) -> list[str]:
        kept = self._load(one.job)
        header, body = self._pack(kept, files)
        header["cwd"] = header.get("cwd") or self._folder
        header["secrets"] = find_secrets(kept, self._session.secrets)
        training = dict(header.get("training") or {})
        header["training"] = {**training, "name": one.resumed.name} if one.resumed else training
        left = f"; what {self._left} other cells had made is gone" if self._left else ""
        header["continued"] = f"{tell}{_describe(one.resumed)}{left}"
        job = dataclasses.replace(one.job, attempt=one.job.attempt + 1, state=JobState.RUNNING)
        self._bridge.post(self._begin, job, kept.code, header, body)
        return []

    def _begin(self, job: JobRow, code: str, header: dict[str, Any], body: bytes) -> None:
        """In the loop, in one go: what is typed from now on comes behind what was typed before."""
        session = self._session
        session.run(job, code, header, body)
        for line in session.typed.list() if session.spec and session.spec.command else ():
            session.connection.ask(Type.INPUT, {"session": session.row.id, **line})

    def _pack(self, kept: SentJob, files: Sequence[str]) -> tuple[dict[str, Any], bytes]:
        """What goes with a job: its names, and the files that are not over there."""
        sync, spec = self._session.files.sync, self._session.spec
        there = _find_files(files)
        shipment = sync.plan(there) if spec and spec.files and there else None
        acts = [{key: value for key, value in act.items() if key != "blobs"} for act in kept.acts]
        packed = self._send_cargo(Cargo(acts, kept.buffers, shipment))
        self._session.cargo = ((), ())  # it is kept already
        return {**kept.header, **packed.header}, packed.extra

    def _send_cargo(self, cargo: Cargo) -> Packed:
        """Whatever breaks on the way, while the machine is there."""
        for _ in range(_TRIES):
            try:
                return cargo.send(self._bridge, self._session)
            except Refused:
                raise
            except HostError:  # once it answers again; that it is gone is another error
                self._bridge.call(self._session.connection.request(Type.STATUS, {}))
        return cargo.send(self._bridge, self._session)


def _find_files(paths: Sequence[str]) -> dict[str, os.stat_result]:
    """Those that are here; a folder (a sharded checkpoint) as the files in it."""
    found = {}
    for path in map(Path, paths):
        with suppress(OSError):
            inside = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
            found.update({str(one): one.stat() for one in inside})
    return {path: status for path, status in found.items() if stat.S_ISREG(status.st_mode)}


def _describe(resumed: Resumption | None) -> str:
    if resumed is None:
        return "from the beginning: no checkpoint of it is here"
    return f"from {resumed.source}" if resumed.step is None else f"from step {resumed.step:,}"


def _transform(code: str) -> str:
    """A cell as Python: its magics become calls, as IPython has them without a notebook's own."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return str(TransformerManager().transform_cell(code))
    except SyntaxError:
        return ""
