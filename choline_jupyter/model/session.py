"""A session: a named place to run cells, kept by the client so that every notebook and command can find it again.

Made by `session`, stored by `ledger.event_store`, shown by `choline status`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class SessionState(str, enum.Enum):
    """How far a session is: on its way, usable, out of reach (its machine may live on), or over."""

    STARTING = "starting"
    READY = "ready"
    LOST = "lost"
    STOPPED = "stopped"

    @property
    def is_open(self) -> bool:
        """Whether something of it may still be running somewhere."""
        return self is not SessionState.STOPPED


class Trust(str, enum.Enum):
    """What a machine's output may do here: everything (the user's own), sandboxed only, or everything by `--trust`."""

    OWN = "own"
    RENTED = "rented"
    TRUSTED = "trusted"


@dataclass(frozen=True)
class SessionRow:
    """One session as the client last knew it.

    `machine` names the machine asked for in the user's words, `directory` is the user's own absolute path that cells
    run in, `epoch` counts the instances it has lived on, from 1. `created_at` is in seconds since the epoch.
    """

    id: str
    name: str
    provider: str
    machine: str
    directory: str
    epoch: int
    state: SessionState
    created_at: float
    trust: Trust
