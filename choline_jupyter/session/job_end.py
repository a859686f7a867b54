"""Which events end a job, as the agent tells them.

Used by `session.live` and by whoever shows a job until its end.
"""

from __future__ import annotations

from choline_jupyter.model.event import SUPERVISOR_RANK, Event, Kind
from choline_jupyter.model.job import JobState

# What the supervisor says of a job that its rank has not ended itself.
ENDINGS = {"died": JobState.FAILED, "cancelled": JobState.CANCELLED}


def is_end(event: Event) -> bool:
    """Whether this event ends its job."""
    if event.kind is not Kind.STATE or not event.job:
        return False
    state = event.read_content().get("state")
    return state == "done" or (event.series.rank == SUPERVISOR_RANK and state in ENDINGS)


def is_rank_end(event: Event) -> bool:
    """Whether one of several ranks has ended the event's job."""
    return event.kind is Kind.STATE and bool(event.job) and event.read_content().get("state") == "rank_done"
