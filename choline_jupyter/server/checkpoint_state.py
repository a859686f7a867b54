"""The checkpoints of the projects that jobs have run in: those at home, and those that only their machine has.

Called by `server.cell_routes` in the reading thread; looks at the disk and the record, asks no machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.model.event import Kind
from choline_jupyter.server.job_state import find_contents_path
from choline_jupyter.session.checkpoint_record import Kept, list_kept, read_announced
from choline_jupyter.session.project import find_project

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.job import JobRow

_JOBS = 200  # newest jobs whose projects are looked at
_THERE = 3  # checkpoints of a job that stay on its machine
_LISTED = 200


def list_checkpoints(store: EventStore, root: str) -> list[dict[str, Any]]:
    """Newest first; `root` is the folder that the server shows to its front ends."""
    jobs = {job.id: job for job in store.list_jobs(limit=_JOBS)}
    sessions = {row.id: row for row in store.list_sessions()}
    folders = {sessions[job.session].directory for job in jobs.values() if job.session in sessions}
    home = [one for project in _find_projects(folders) for one in map(_describe_kept, list_kept(project))]
    known = {(one["folder"], one["name"]) for one in home}
    is_open = {row.id for row in sessions.values() if row.state.is_open}
    away = [one for job in jobs.values() if job.session in is_open for one in _list_announced(store, job)]
    found = [*home, *(one for one in away if (one["folder"], one["name"]) not in known)]
    told = [_place(one, jobs.get(str(one["job"])), root) for one in found]
    return sorted(told, key=lambda one: one["at"] or 0.0, reverse=True)[:_LISTED]


def _find_projects(folders: set[str]) -> list[Path]:
    return sorted({find_project(Path(folder)) for folder in folders if Path(folder).is_dir()})


def _describe_kept(kept: Kept) -> dict[str, Any]:
    record, folder = kept.record, kept.path.parent.name
    facts = {name: _keep_number(record.get(name)) for name in ("step", "epoch", "loss", "size")}
    return {
        "name": kept.path.name, "folder": folder, "job": str(record.get("job") or folder), **facts, "at": kept.at,
        "isHome": True, "isPreview": record.get("preview") is True,
    }  # fmt: skip


def _list_announced(store: EventStore, job: JobRow) -> Iterator[dict[str, Any]]:
    """What the job's machine has told of last, and may still have."""
    for event in store.read_last(job.id, (Kind.CHECKPOINT,), _THERE):
        try:
            one = read_announced(event.read_content())
        except (ValueError, TypeError):  # a stranger's
            continue
        if one.is_home:  # it was written on this machine: what is not there any more is nowhere
            continue
        facts = {name: _keep_number(one.facts.get(name)) for name in ("step", "epoch", "loss")}
        yield {
            "name": one.name, "folder": one.folder, "job": job.id, **facts, "size": one.size,
            "at": _keep_number(one.facts.get("at")) or event.at, "isHome": False, "isPreview": one.facts["preview"],
        }  # fmt: skip


def _place(one: dict[str, Any], job: JobRow | None, root: str) -> dict[str, Any]:
    return {**one, "isKnown": job is not None, "notebook": find_contents_path(job.notebook, root) if job else ""}


def _keep_number(value: object) -> float | None:
    """JSON has no nan."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None  # type: ignore[arg-type,return-value]  # it is a number
