"""Sessions as the panel shows them: what the record has of them, and what their agents say.

Called by the routes. Promise: a machine that does not answer within some seconds costs that time once and its row says
so; nothing is started on any machine by looking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from choline_jupyter.errors import CholineError
from choline_jupyter.server.job_state import find_contents_path

if TYPE_CHECKING:
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.engine import Engine

_PATIENCE = 4.0

Agents = dict[tuple[str, str], "dict[str, Any] | None"]


def describe_session(row: SessionRow, root: str) -> dict[str, Any]:
    """A session's row, and the notebook that it is named after."""
    return {
        "id": row.id,
        "name": row.name,
        "notebook": find_contents_path(row.name, root),
        "provider": row.provider,
        "machine": row.machine,
        "directory": row.directory,
        "epoch": row.epoch,
        "state": row.state.value,
        "created": row.created_at,
    }


async def ask_agents(engine: Engine, rows: Sequence[SessionRow]) -> Agents:
    """What the agents of these sessions' machines say of themselves; None for one that does not answer."""
    machines = sorted({(row.provider, row.machine) for row in rows})
    answers = await asyncio.gather(*(_ask(engine, *machine) for machine in machines))
    return dict(zip(machines, answers, strict=True))


def describe_life(row: SessionRow, agents: Agents) -> dict[str, Any]:
    """What goes on in a session now: `life` is running, idle, ended, unhosted or unreachable."""
    agent = agents.get((row.provider, row.machine))
    if agent is None:
        return {"id": row.id, "life": "unreachable"}
    hosted = next((one for one in agent["sessions"] if one["session"] == row.id), None)
    if hosted is None:
        return {"id": row.id, "life": "unhosted"}
    life = "running" if hosted["running"] else "idle" if hosted["alive"] else "ended"
    facts = {key: hosted.get(key) for key in ("running", "since", "lease", "quiet", "created")}
    # How long a rented machine lives as things stand: its lease, its deadline or its budget ends it first.
    return {"id": row.id, "life": life, "waiting": len(hosted["queue"]), "left": agent.get("left"), **facts}


async def _ask(engine: Engine, provider: str, machine: str) -> dict[str, Any] | None:
    try:
        return await asyncio.wait_for(engine.describe(provider, machine), _PATIENCE)
    except (CholineError, asyncio.TimeoutError):  # of a rented one that is gone, too
        return None
