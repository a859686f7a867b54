"""An instance: one machine (or sandbox) that was asked for, from *intent* to *gone*.

Made by `session` before it asks a provider, stored by `ledger.ledger`, which alone knows what we own.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Optional

NEVER_LISTED = -1


class InstanceState(str, enum.Enum):
    """Where an instance stands: `dead` will never run and must be destroyed; `gone` alone is final."""

    INTENT = "intent"
    CREATING = "creating"
    BOOTING = "booting"
    READY = "ready"
    BUSY = "busy"
    IDLE = "idle"
    STOPPED = "stopped"
    DESTROYING = "destroying"
    GONE = "gone"
    PREEMPTED = "preempted"
    DEAD = "dead"
    UNKNOWN = "unknown"

    @property
    def is_open(self) -> bool:
        """Whether it may still exist, and so may still cost something."""
        return self is not InstanceState.GONE


@dataclass(frozen=True)
class InstanceRow:
    """One instance as the client last knew it; times are in seconds since the epoch.

    `label` is the name given to the provider at creation, unique for ever; `handle` is the provider's own name for
    it, empty until the provider has answered. `offer` is JSON text: what was asked for, as the provider offered it.
    It is the session's machine of this `epoch`. `address` is where it is reached, `host_key` the public key that it must
    have there. `budget` is what it may cost in USD, all in all; `deadline_at` until when it may live, `lease` how many
    seconds it may be idle and `hold` how many more while results wait; `disk` its size in bytes. `absences` counts the
    listings in a row that did not have it, once it was in one.
    """

    id: str
    provider: str
    label: str
    session: str
    offer: str = "{}"
    handle: str = ""
    state: InstanceState = InstanceState.INTENT
    created_at: float = 0.0
    ended_at: Optional[float] = None
    epoch: int = 1
    address: str = ""
    host_key: str = ""
    budget: float = 0.0
    deadline_at: float = 0.0
    lease: float = 0.0
    hold: float = 0.0
    disk: int = 0
    absences: int = NEVER_LISTED
