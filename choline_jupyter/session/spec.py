"""What session a cell or command means: its name, its machine, its folder.

Called by `magic` and `cli` to say what they want, by `session.engine` to find or make it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from choline_jupyter.model.session import SessionRow, Trust

if TYPE_CHECKING:
    from choline_jupyter.session.rent.renter import Rent

LEASE = 1800.0


@dataclass(frozen=True)
class SessionSpec:
    """A session asked for. `name` is the user's or the notebook's path; `lease` is in seconds.

    `python` empty leaves the interpreter to the provider. `command` makes it a session of one script, not of a kernel.
    `packages` (PEP 508) are what its environment holds besides ipykernel; `are_found` if the user's code says so and not
    the user, `version` is the Python wanted, `indexes` (by pip's names) where they come from.
    `files` (`session.project.describe_files`) is for sessions that do not have the folder's own files.
    `rent` is set for a session that needs a rented machine: `provider` and `machine` are empty then.
    `ranks` is the number of kernels that run each cell, or of processes that torchrun makes of a script. `gpus` are those that
    its kernels see (as CUDA_VISIBLE_DEVICES); empty for all.
    `accept_key` is the fingerprint of an unknown host key that the user has accepted, `client` the ssh client wanted.
    """

    name: str
    provider: str = "local"
    machine: str = "this machine"
    directory: str = field(default_factory=os.getcwd)
    python: str = ""
    packages: tuple[str, ...] = ()
    are_found: bool = True
    version: str = ""
    indexes: dict[str, list[str]] = field(default_factory=dict)
    environment: dict[str, str] | None = None
    lease: float = LEASE
    trust: Trust = Trust.OWN
    command: tuple[str, ...] = ()
    accept_key: str = ""
    client: str = ""
    files: dict[str, Any] | None = None
    rent: Rent | None = None
    ranks: int = 1
    gpus: str = ""

    def matches(self, row: SessionRow) -> bool:
        """Whether an existing session is the one asked for."""
        return row.state.is_open and (row.name, row.provider, row.machine) == (self.name, self.provider, self.machine)


def copy_environment() -> dict[str, str]:
    """The environment of this process, for a session on the user's own machine; what belongs to this kernel alone stays."""
    return {key: value for key, value in os.environ.items() if key not in ("JPY_PARENT_PID", "JPY_SESSION_NAME")}
