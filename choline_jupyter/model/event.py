"""An event: one thing a job did, as the rank that saw it wrote it down.

Written by `agent.kernel` (ranks) and `agent.supervisor` (rank -1), read by `session` on the client. Its key
`(session, epoch, rank, seq)` is unique for ever; `seq` counts from 1 and never restarts within a series.
The binary form of one event is a *record* (`wire.record`): the same bytes in the journal and on the wire.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import Any, Optional, Union

SUPERVISOR_RANK = -1

Bytes = Union[bytes, memoryview]


class Kind(enum.IntEnum):
    """What an event tells; the number is part of the record format and never re-used."""

    STREAM = 1
    DISPLAY = 2
    UPDATE = 3
    CLEAR = 4
    RESULT = 5
    ERROR = 6
    INPUT = 7
    COMM = 8
    PROGRESS = 9
    METRIC = 10
    CHECKPOINT = 11
    ARTIFACT = 12
    STATE = 13
    GAP = 14


@dataclass(frozen=True)
class Series:
    """The events of one rank in one epoch of one session; in them `seq` is dense and ordered."""

    session: str
    epoch: int
    rank: int


@dataclass(frozen=True)
class Event:
    """One event. `header`, `parent`, `metadata` and `content` are JSON bytes as Jupyter's messaging defines them.

    `job` is empty for what belongs to no job (a comm message between cells, a state of the session).
    `at` is the writer's wall clock in seconds since the epoch: for display only, never for ordering.
    A large content or buffer is a view of the record that it came in, lest 50 MB of it be held twice.
    """

    series: Series
    seq: int
    kind: Kind
    job: str
    attempt: int
    at: float
    header: bytes = b"{}"
    parent: bytes = b"{}"
    metadata: bytes = b"{}"
    content: Bytes = b"{}"
    buffers: tuple[Bytes, ...] = ()

    def read_content(self) -> dict[str, Any]:
        """The content as JSON; raises ValueError when the writer sent something else."""
        return read_object(self.content)

    def read_parent_id(self) -> Optional[str]:
        """The `msg_id` of the request this event answers, if it has one."""
        return read_object(self.parent).get("msg_id")

    def find_type(self) -> str:
        """The Jupyter message type, empty for events that are not Jupyter messages."""
        return str(read_object(self.header).get("msg_type", ""))


def read_object(data: Bytes) -> dict[str, Any]:
    """Parse a JSON object; raises ValueError for anything else."""
    try:
        value = json.loads(bytes(data))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    return value
