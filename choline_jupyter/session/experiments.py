"""The experiment log: every run with what it was, where, how far it came, what it cost, its best loss and its checkpoint.

Called by `session.verbs` for `runs`; filtered, sorted, or two compared. A run is one job or, if it was resumed, what each
attempt adds to it.
"""

from __future__ import annotations

import difflib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.errors import RequestError
from choline_jupyter.model.job import JobRow
from choline_jupyter.session.checkpoint_record import Kept, list_kept
from choline_jupyter.session.job_record import read_parameters
from choline_jupyter.session.progress_record import Progress, draw_curve
from choline_jupyter.session.progress_series import find_progress
from choline_jupyter.session.rent.job_cost import find_job_cost
from choline_jupyter.session.rent.meter import render_money
from choline_jupyter.session.report import render_duration

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.rent.fleet import Fleet

_MOST = 30
_TEXT = 40
_SORTS = ("time", "loss", "duration", "cost")


@dataclass(frozen=True)
class Run:
    """`best` is None where no loss was seen; `cost` where it is not known."""

    job: JobRow
    where: str
    progress: Progress
    kept: Kept | None
    gpu: str
    cost: float | None = None

    @property
    def best(self) -> float | None:
        """The smallest loss."""
        numbers = [value for value in self.progress.list_values() if math.isfinite(value)]
        return min(numbers, default=None)

    @property
    def seconds(self) -> float:
        """How long it ran, or has run."""
        return (self.job.ended_at or time.time()) - self.job.started_at if self.job.started_at else 0.0


def list_runs(store: EventStore, fleet: Fleet, root: Path, text: str = "", limit: int = _MOST) -> list[Run]:
    """The newest runs that have the text in their name, code, state or place."""
    sessions = {row.id: row for row in store.list_sessions()}
    found = []
    for job in store.list_jobs(limit=1000):
        row = sessions.get(job.session)
        where = _describe_place(row)
        if not job.code:  # names that were fetched, a session that moved
            continue
        if text.lower() in f"{job.id} {job.name} {job.code} {job.state.value} {where}".lower():
            found.append(make_run(store, fleet, root, job))
        if len(found) == limit:
            break
    return found


def make_run(store: EventStore, fleet: Fleet, root: Path, job: JobRow) -> Run:
    """One job as a run."""
    row = next((row for row in store.list_sessions() if row.id == job.session), None)
    progress, cost = find_progress(store, job.id), find_job_cost(fleet, row, job)
    folder = str((progress.checkpoint or {}).get("folder") or job.id)
    kept = list(list_kept(root, folder)) if folder == job.id or folder.startswith("j-") else []
    gpu = str(kept[-1].record.get("gpu") or "") if kept else ""
    where = _describe_place(row)
    return Run(job, where, progress, kept[-1] if kept else None, gpu or cost.gpus, cost.usd)


def sort_runs(runs: Sequence[Run], key: str) -> list[Run]:
    """By `time` (newest first), `loss` (smallest first), `duration` (longest first) or `cost` (highest first)."""
    if key not in _SORTS:
        raise RequestError(f"Runs cannot be sorted by {key!r:.40}.", f"Sort by {', '.join(_SORTS)}.")
    if key == "loss":
        return sorted(runs, key=lambda run: math.inf if run.best is None else run.best)
    if key == "cost":
        return sorted(runs, key=lambda run: -(run.cost or 0.0))
    return sorted(runs, key=lambda run: -run.seconds) if key == "duration" else list(runs)


def render_runs(runs: Sequence[Run]) -> str:
    """A table."""
    if not runs:
        return "No run is known. `%%choline` on top of a cell makes one."
    rows: list[tuple[str, ...]] = [
        ("job", "when", "took", "state", "where", "GPU", "cost", "best", "loss", "checkpoint", "code")
    ]
    rows += [_render_row(run) for run in runs]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def compare_runs(first: Run, second: Run) -> str:
    """What two runs differ in: parameters, code, place, result."""
    one, other = read_parameters(first.job.code), read_parameters(second.job.code)
    lines = [f"{first.job.id} and {second.job.id}"]
    facts = [(name, _describe(first)[name], _describe(second)[name]) for name in _describe(first)]
    facts += [(name, one.get(name, "-"), other.get(name, "-")) for name in sorted({*one, *other})]
    lines += [f"  {name}: {left} | {right}" for name, left, right in facts if left != right]
    difference = difflib.unified_diff(
        first.job.code.splitlines(), second.job.code.splitlines(), first.job.id, second.job.id, lineterm="", n=1
    )
    return "\n".join(
        [*(lines if len(lines) > 1 else [*lines, "  no difference in parameters, place or result"]), *difference]
    )


def _describe_place(row: SessionRow | None) -> str:
    return f"{row.provider}, {row.machine}" if row else "-"


def _describe(run: Run) -> dict[str, Any]:
    return {
        "where": run.where, "GPU": run.gpu or "-", "state": run.job.state.value, "took": render_duration(run.seconds),
        "cost": "not known" if run.cost is None else render_money(run.cost),
        "best loss": "-" if run.best is None else f"{run.best:.6g}", "last step": run.progress.find_last("step"),
    }  # fmt: skip


def _render_row(run: Run) -> tuple[str, ...]:
    job, values = run.job, run.progress.list_values()
    when = time.strftime("%m-%d %H:%M", time.localtime(job.created_at))
    step = run.kept.record.get("step") if run.kept else None
    shown = "-" if run.kept is None else run.kept.path.name if step is None else f"step {step:,}"
    return (
        job.id, when, render_duration(run.seconds), job.state.value, run.where, run.gpu or "-",
        "-" if run.cost is None else render_money(run.cost), "-" if run.best is None else f"{run.best:.4g}",
        draw_curve(values, 12), shown, job.name or " ".join(job.code.split())[:_TEXT],
    )  # fmt: skip
