"""Fencing: a session's every machine is an epoch of it, and only the newest one counts.

Called by `agent.client` for each request that names an epoch. Promise: a request of an older epoch than the session here is
refused; a session that hears of a newer one ends with all its processes, says nothing more, and a rented machine ends itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from choline_jupyter.agent.supervisor import Supervisor

SUPERSEDED = "it goes on on another machine"


async def is_superseded(supervisor: Supervisor, header: dict[str, Any]) -> bool:
    """Whether a request and the session that it is for are of different epochs; the older one of the two has ended then."""
    session = supervisor.sessions.get(str(header.get("session", "")))
    if session is None or not isinstance(header.get("epoch"), int):
        return False
    told, known = header["epoch"], int(session.spec["epoch"])
    if told > known:
        await supervisor.stop(session.id, SUPERSEDED)
        if supervisor.watch.is_armed:
            supervisor.watch.limit(0.0, 0.0)
    return bool(told != known)
