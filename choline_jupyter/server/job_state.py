"""A job as the panel shows it: its row, its notebook, how far it is, what it takes, the end of what it has printed.

Called by the routes in the reading thread. Everything here is data for text nodes; the front end makes no HTML of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.server.job_progress import describe_progress
from choline_jupyter.server.printed import read_tail
from choline_jupyter.server.rank_state import describe_ranks, is_telemetry
from choline_jupyter.server.record import clip

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.job import JobRow

_CODE = 200  # characters of the code in a list
_EVENTS = 200  # events that are read for the end of the output
_METRICS = 500
_LINES = 12


def describe_job(row: JobRow, root: str) -> dict[str, Any]:
    """A job's row; `root` is the folder that the server shows to its front ends."""
    return {
        "id": row.id,
        "session": row.session,
        "name": row.name,
        "attempt": row.attempt,
        "state": row.state.value,
        "code": clip(row.code.strip(), _CODE),
        "notebook": find_contents_path(row.notebook, root),
        "cell": row.cell_id,
        "created": row.created_at,
        "started": row.started_at,
        "ended": row.ended_at,
        "detached": row.detached,
        "ename": row.ename,
        "evalue": clip(row.evalue, _CODE),
        "count": row.execution_count,
        "evicted": row.evicted,
    }


def describe_output(store: EventStore, row: JobRow) -> dict[str, Any]:
    """How far a job is, what it takes of its machine, and what it has printed last."""
    text = join_text(store.read_last(row.id, (Kind.STREAM, Kind.RESULT, Kind.ERROR), _EVENTS))
    metrics = [(event, _read(event)) for event in store.read_last(row.id, (Kind.METRIC, Kind.PROGRESS), _METRICS)]
    logged = [event for event, fact in metrics if not is_telemetry(fact)]
    return {"tail": read_tail(text, _LINES), "ranks": describe_ranks(metrics), **describe_progress(logged, text)}


def find_contents_path(notebook: str, root: str) -> str:
    """The notebook's path as the front end's file browser has it; empty when it lies outside of its folder."""
    if not notebook.endswith(".ipynb"):
        return ""
    path = os.path.relpath(notebook, root)
    return "" if path.startswith(os.pardir) else Path(path).as_posix()


def find_notebook(path: str, root: str) -> str:
    """The reverse of `find_contents_path`: as `magic.notebook` names the notebook."""
    return str(Path(root, path.strip("/")).absolute())


def join_text(events: list[Event]) -> str:
    """What these events have put on the screen, as text."""
    return "".join(_read_text(event) for event in events)


def _read(event: Event) -> dict[str, Any]:
    try:
        return event.read_content()
    except ValueError:  # a stranger's
        return {}


def _read_text(event: Event) -> str:
    content = _read(event)
    if not content:
        return ""
    if event.kind is Kind.STREAM:
        return str(content.get("text", ""))
    if event.kind is Kind.ERROR:
        return f"\n{content.get('ename')}: {content.get('evalue')}\n"
    data = content.get("data")
    return f"{data.get('text/plain', '')}\n" if isinstance(data, dict) else ""
