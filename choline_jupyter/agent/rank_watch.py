"""Whether ranks wait for each other in vain: judged from where each rank's main thread stands.

Called by `agent.rank_group` every TICK while a job runs. What a rank says of itself comes from its stack
(`agent.kernel.process_group`), so watching costs a rank nothing between two looks.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from choline_jupyter.agent.rank_job import RankJob

TICK = 0.5
DEADLOCK = 2.0  # seconds in which all that still run wait and one that they may wait for has ended
_STRAGGLER = 20.0


class Finding(NamedTuple):
    """`fact` is a state to tell of once per `key`; after a deadlock the group is to be aborted, for the `reason`."""

    fact: dict[str, Any]
    key: str = ""
    is_deadlock: bool = False
    reason: str = ""


def find_patience() -> float:
    """Seconds until a rank that the others wait for is named."""
    try:
        return float(os.environ.get("CHOLINE_STRAGGLER_SECONDS", _STRAGGLER))
    except ValueError:
        return _STRAGGLER


def judge(job: RankJob, patience: float) -> Finding:
    """What is to be told of a job's ranks now."""
    running = job.list_running()
    waiting = {number: job.where[number] for number in running if job.where.get(number, {}).get("call")}
    if not waiting:
        return Finding({})
    shortest = min(float(where["for"]) for where in waiting.values())
    if len(waiting) == len(running):
        gone = sorted(job.ends) or job.missing
        if gone and shortest >= DEADLOCK:
            return _tell_deadlock(job, waiting, gone)
        calls = {(where["call"], where.get("line")) for where in waiting.values()}
        if len(calls) > 1 and shortest >= patience:
            return _tell("mismatch", waiting, [], shortest)
    elif shortest >= patience:
        return _tell("straggler", waiting, [number for number in running if number not in waiting], shortest)
    return Finding({})


def _tell_deadlock(job: RankJob, waiting: dict[int, dict[str, Any]], gone: list[int]) -> Finding:
    verb = "ended its cell" if job.ends else "does not run this cell"
    if len(gone) > 1:
        verb = "ended their cells" if job.ends else "do not run this cell"
    reason = "%s %s" % (name_ranks(gone), verb)
    found = _tell("deadlock", waiting, gone, 0.0)
    return Finding({**found.fact, "reason": reason}, "deadlock", True, reason)


def _tell(what: str, waiting: dict[int, dict[str, Any]], late: list[int], seconds: float) -> Finding:
    calls = [{"rank": number, "call": w["call"], "line": w.get("line")} for number, w in sorted(waiting.items())]
    fact = {"state": "waiting", "what": what, "late": late, "seconds": round(seconds), "waiting": calls}
    return Finding(fact, "%s %s %s" % (what, late, [(one["call"], one["line"]) for one in calls]))


def name_ranks(ranks: list[int]) -> str:
    """`rank 1`, `ranks 0-3`, `ranks 0, 2`."""
    parts, start = [], 0
    ordered = sorted(ranks)
    for place, number in enumerate(ordered):
        if place + 1 == len(ordered) or ordered[place + 1] != number + 1:
            first = ordered[start]
            parts.append(str(first) if first == number else "%d-%d" % (first, number))
            start = place + 1
    return ("rank " if len(ordered) == 1 else "ranks ") + ", ".join(parts)
