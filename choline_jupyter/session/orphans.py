"""Sessions whose jobs nobody follows any more: their notebook's kernel was killed or restarted while they ran.

Called by the keeper, which follows them, so that what they put out goes on arriving here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from choline_jupyter.providers.registry import load_provider

if TYPE_CHECKING:
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.engine import Engine


async def find_orphans(engine: Engine, rows: Iterable[SessionRow]) -> set[str]:
    """Of these sessions, which have open jobs, the ids of those that no client follows, or that have ended unheard.

    A machine that does not answer is asked again next time; on this one, no answer means that nothing runs.
    """
    wanted: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        wanted.setdefault((row.provider, row.machine), set()).add(row.id)
    orphans: set[str] = set()
    for (provider, machine), sessions in wanted.items():
        agent = await engine.describe(provider, machine)
        if agent is not None:
            orphans |= sessions - {one["session"] for one in agent["sessions"] if one["followers"]}
        elif load_provider(provider).is_this_machine:
            orphans |= sessions
    return orphans
