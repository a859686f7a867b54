"""A sweep as a table, in HTML for notebooks and in text for terminals; drawn again whenever something has changed.

Called by `magic.sweep_board`. What comes from a machine is escaped.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence

from choline_jupyter.model.job import JobState
from choline_jupyter.session.progress_record import draw_curve
from choline_jupyter.session.report import render_duration
from choline_jupyter.session.sweep.grid import describe
from choline_jupyter.session.sweep.job import SweepJob, find_best

_ORDER = (JobState.DONE, JobState.RUNNING, JobState.QUEUED, JobState.FAILED, JobState.LOST, JobState.CANCELLED)
_COLOURS = {
    JobState.DONE: "#2e7d32", JobState.RUNNING: "#1565c0", JobState.FAILED: "#c62828", JobState.LOST: "#c62828",
}  # fmt: skip
_TROUBLE = 80  # characters
_CURVE = 12


def summarize(jobs: Sequence[SweepJob]) -> str:
    """`4 done, 1 running, 1 failed; best loss 0.412 with lr=0.001 width=64`."""
    counts = Counter(job.state for job in jobs)
    text = ", ".join(f"{counts[state]} {state.value}" for state in _ORDER if counts[state])
    best = find_best(jobs)
    value = best.find_best() if best else None
    if best is None or value is None:
        return text
    return f"{text}; best {best.name_metric()} {value:.4g} with {describe(best.parameters)}"


def render_text(name: str, jobs: Sequence[SweepJob]) -> str:
    """For a terminal."""
    rows = [_list_heads(jobs), *(_list_cells(job) for job in jobs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"choline: sweep {name}: {summarize(jobs)}", *lines])


def render_html(name: str, jobs: Sequence[SweepJob]) -> str:
    """For a notebook; the best job's row is bold."""
    best = find_best(jobs)
    heads = "".join(f"<th style='text-align:left'>{html.escape(head)}</th>" for head in _list_heads(jobs))
    rows = "".join(_render_row(job, job is best) for job in jobs)
    title = f"<small><b>choline</b> sweep {html.escape(name)}: {html.escape(summarize(jobs))}</small>"
    return f"{title}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _render_row(job: SweepJob, is_best: bool) -> str:
    cells = [html.escape(cell) for cell in _list_cells(job)]
    place = 1 + len(job.parameters)
    cells[place] = f"<span style='color:{_COLOURS.get(job.state, 'inherit')}'>{cells[place]}</span>"
    weight = ";font-weight:bold" if is_best else ""
    return "<tr>" + "".join(f"<td style='text-align:left{weight}'>{cell}</td>" for cell in cells) + "</tr>"


def _list_heads(jobs: Sequence[SweepJob]) -> list[str]:
    names = Counter(name for job in jobs if (name := job.name_metric()))
    metric = next(iter(name for name, _ in names.most_common(1)), "loss")
    return ["#", *jobs[0].parameters, "state", "where", "took", "step", f"best {metric}", "", "job", ""]


def _list_cells(job: SweepJob) -> list[str]:
    best, step = job.find_best(), job.reader.progress.find_last("step")
    seconds = job.seconds
    return [
        str(job.number), *(f"{value}" for value in job.parameters.values()), job.state.value, job.where,
        "" if seconds is None else render_duration(seconds), "" if step is None else f"{step:,}",
        "" if best is None else f"{best:.4g}", draw_curve(job.list_values(), _CURVE), job.id, job.trouble[:_TROUBLE],
    ]  # fmt: skip
