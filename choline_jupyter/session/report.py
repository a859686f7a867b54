"""What `status` and `logs` say, as text: the same in a notebook, a terminal and a log.

Called by `session.verbs`; pure functions of what the store and the agents say.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.session import SessionRow

_TEXT_LENGTH = 60
_NEWEST = 10


def render_status(
    sessions: list[SessionRow], jobs: list[JobRow], agents: dict[str, dict[str, Any] | None], keeper: int
) -> str:
    """Sessions with what runs in them, the newest jobs, the keeper. `agents` by machine; None: no agent runs there."""
    lines = [_describe_session(row, _find_hosted(row, agents)) for row in sessions if row.state.is_open]
    lines = ["Sessions", *lines] if lines else ["No session is open. `%%choline` on top of a cell opens one."]
    if jobs:
        lines += ["", "Jobs, newest first", *(_describe_job(job) for job in jobs[:_NEWEST])]
    lines += ["", f"The keeper follows detached jobs (pid {keeper})."] if keeper else []
    return "\n".join(lines)


def render_logs(events: Iterable[Event]) -> str:
    """What a job has put out, as a terminal would have shown it."""
    return "".join(render_text(event) for event in events)


def render_text(event: Event) -> str:
    """One event as text, of another rank than 0 with its number before it; empty for what has none."""
    text = _render_text(event)
    return f"[{event.series.rank}] {text}" if event.series.rank > 0 and text else text


def _render_text(event: Event) -> str:
    content = event.read_content()
    if event.kind is Kind.STATE and content.get("state") == "continued":
        return f"[choline: {content.get('text')}]\n"
    if event.kind is Kind.STATE:
        return ""
    if event.kind is Kind.STREAM:
        return str(content.get("text", ""))
    if event.kind in (Kind.DISPLAY, Kind.RESULT):
        return str(content.get("data", {}).get("text/plain", "")) + "\n"
    if event.kind is Kind.ERROR:
        return "\n".join(map(str, content.get("traceback", ()))) + "\n"
    if event.kind is Kind.GAP:
        return f"[choline: output is missing here: {json.dumps(content)}]\n"
    return ""


def render_duration(seconds: float) -> str:
    """`4 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _find_hosted(row: SessionRow, agents: dict[str, dict[str, Any] | None]) -> dict[str, Any] | None:
    agent = agents.get(row.machine) or {}
    return next((hosted for hosted in agent.get("sessions", ()) if hosted["session"] == row.id), None)


def _describe_session(row: SessionRow, hosted: dict[str, Any] | None) -> str:
    where = f"{row.provider}, {row.machine}"
    if hosted is None:
        return f"  {row.name} ({where}): not running; its next cell starts it anew"
    if hosted["running"]:
        state = f"runs {hosted['running']} for {render_duration(time.time() - hosted['since'])}"
    else:
        state = "idle" if hosted["alive"] else "its kernel has ended; the next cell starts a new one"
    waiting = f", {len(hosted['queue'])} waiting" if hosted["queue"] else ""
    return f"  {row.name} ({where}): {state}{waiting}, open for {render_duration(time.time() - hosted['created'])}"


def _describe_job(job: JobRow) -> str:
    end = job.ended_at or time.time()
    took = render_duration(end - job.started_at) if job.started_at else "-"
    text = (job.name or " ".join(job.code.split()))[:_TEXT_LENGTH]
    problem = f" {job.ename}" if job.ename else ""
    return f"  {job.id}  {job.state.value}{problem}, {took}  {text}"
