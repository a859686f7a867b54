"""What an environment for sessions holds, and what a machine says of the interpreter that it is for.

Used by `agent.environment` (which makes environments) and `session.wheels` (which fetches what a machine cannot).
"""

from __future__ import annotations

from typing import Any, NamedTuple

# What a kernel needs and, for `%pip`, an installer.
BASE = ("ipykernel>=6.29,<8", "pip")


class Target(NamedTuple):
    """An interpreter: `python` as "3.9", `machine` as uname says it, `libc` as ("glibc", "2.31")."""

    python: str
    machine: str
    libc: tuple[str, str]

    def to_json(self) -> dict[str, Any]:
        return {"python": self.python, "machine": self.machine, "libc": list(self.libc)}
