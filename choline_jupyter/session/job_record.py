"""What a job was made of: its code, the commit around it, its parameters, packages and files; and what its machine is told.

Called by `session.live` for each job and each checkpoint, by `session.rerun` to say what is no longer the same.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.session.project import find_project
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.job_cost import JobCost, find_job_cost
from choline_jupyter.store.difference import list_codecs

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.file_sync import FileSync

_MOST = 100  # parameters
_TEXT = 200


def make_wish(row: SessionRow, job: str, more: dict[str, Any] | None) -> dict[str, Any]:
    """What goes with a job about its checkpoints. `name`: of their folder; that of an earlier job if this one continues it."""
    return {"name": job, "root": _find_root(row.directory), "codecs": _find_codecs(), **(more or {})}


def describe_job(
    store: EventStore, row: SessionRow, packages: Collection[str], sync: FileSync, job: str
) -> dict[str, Any]:
    """What stands beside each of its checkpoints: `cost` in USD since the job began, None where it is not known."""
    found = store.find_job(job)
    files, cost = sync.list_known(), _find_cost(store.directory, row, found)
    return {
        "code_digest": found.code_digest if found else "",
        "parameters": read_parameters(found.code) if found else {},
        "git": find_commit(sync.root),
        "requested": sorted(packages),
        "manifest": digest_manifest(files),
        "file_count": len(files),
        "where": f"{row.provider}, {row.machine}",
        "cost": None if cost.usd is None else round(cost.usd, 6),
        "offer": cost.gpus,
    }


def close_job(row: JobRow, reply: dict[str, Any], at: float) -> JobRow:
    """The row of a job that has ended with this reply."""
    is_ok = reply.get("status") == "ok"
    return dataclasses.replace(
        row,
        state=JobState.DONE if is_ok else JobState.FAILED,
        ended_at=at,
        status=str(reply.get("status", "")),
        ename=str(reply.get("ename", "")),
        evalue=str(reply.get("evalue", "")),
        execution_count=reply.get("execution_count"),
    )


def explain_replay(job: str, reply: dict[str, Any]) -> list[str]:
    """What is to be said of an earlier job whose code was run again to make its names anew."""
    if reply.get("status") == "ok":
        return []
    return [
        f"{job}, which this cell relies on, failed when it was run again: {reply.get('ename')}: {reply.get('evalue')}"
    ]


def digest_manifest(files: dict[str, str]) -> str:
    """One digest for all files by path."""
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest() if files else ""


def read_parameters(code: str) -> dict[str, Any]:
    """The names that a text binds to plain values at its top level: what people change between two runs."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found = {}
    for target, node in (pair for statement in body for pair in _list_bindings(statement)):
        if isinstance(target, ast.Name):
            with suppress(ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                value = ast.literal_eval(node)
                if isinstance(value, (int, float, str, bool)) and len(str(value)) <= _TEXT:
                    found[target.id] = value
    return dict(list(found.items())[:_MOST])


def _list_bindings(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    """What a statement binds to what: `steps = 3`, `lr: float = 0.1`, `lr, steps = 0.1, 3`."""
    if isinstance(statement, ast.AnnAssign) and statement.value:
        return [(statement.target, statement.value)]
    if not isinstance(statement, ast.Assign):
        return []
    target, value = statement.targets[0], statement.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def find_commit(root: Path) -> str:
    """The commit that is checked out in a folder, by git's own files; empty for none."""
    with suppress(OSError):
        head = (root / ".git/HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head[5:]
        if (root / ".git" / name).is_file():
            return (root / ".git" / name).read_text().strip()
        for line in (root / ".git/packed-refs").read_text().splitlines():
            if line.endswith(" " + name):
                return line.split()[0]
    return ""


def _find_cost(directory: Path, row: SessionRow, job: JobRow | None) -> JobCost:
    fleet = Fleet(directory)
    try:
        return find_job_cost(fleet, row, job) if job else JobCost(None)
    finally:
        fleet.close()


@functools.lru_cache(maxsize=64)
def _find_root(directory: str) -> str:
    return str(find_project(Path(directory)))


@functools.lru_cache(maxsize=1)
def _find_codecs() -> tuple[str, ...]:
    return tuple(list_codecs())
