"""What an environment for sessions holds, and what a machine says of the interpreter that it is for.

Used by `agent.environment` (which makes environments) and `session.wheels` (which fetches what a machine cannot).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Tuple  # noqa: UP035 - a NamedTuple's fields are evaluated on 3.9 too

from choline_jupyter.model.requirement import read_requirement

# What a kernel needs and, for `%pip`, an installer.
BASE = ("ipykernel>=6.29,<8", "pip")

# What belongs to the machine's GPU and driver: where an image has its own, that stays.
_KEPT = ("torch", "torchvision", "torchaudio", "triton", "pytorch-triton")
_KEPT_FAMILIES = ("nvidia-", "cuda-", "pytorch-triton-")


class Target(NamedTuple):
    """An interpreter: `python` as "3.9", `machine` as uname says it, `libc` as ("glibc", "2.31").

    `have` is what it has already (`name==version`), `kept` the names of those that nothing may replace.
    """

    python: str
    machine: str
    libc: Tuple[str, str]  # noqa: UP006 - see above
    have: Tuple[str, ...] = ()  # noqa: UP006
    kept: Tuple[str, ...] = ()  # noqa: UP006

    def to_json(self) -> dict[str, Any]:
        return {
            "python": self.python, "machine": self.machine, "libc": list(self.libc),
            "have": list(self.have), "kept": list(self.kept),
        }  # fmt: skip


def choose_kept(packages: Mapping[str, str], needs: Iterable[str] = ()) -> tuple[str, ...]:
    """Which of an interpreter's packages stay as they are; `needs` are what its torch requires."""
    if "torch" not in packages:
        return ()
    with_torch = {"numpy"} & {read_requirement(need).name for need in needs}
    return tuple(sorted(name for name in packages if name in with_torch or is_kept(name)))


def is_kept(name: str) -> bool:
    """Whether a distribution (normalized) belongs to the machine rather than to the user's code."""
    return name in _KEPT or name.startswith(_KEPT_FAMILIES)
