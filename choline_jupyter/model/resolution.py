"""What uv is asked when packages are to be added to an interpreter that has some, and what its answer means.

Used by `agent.installation` (on the machine) and `session.wheels` (for a machine that cannot ask itself).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from choline_jupyter.model.requirement import read_requirement

# Built against one torch each: next to the machine's own they come in the version that goes with that.
_PARTNERS = ("torchvision", "torchaudio")
_PARTS = ("nvidia-", "cuda-", "triton", "pytorch-triton")


class Question(NamedTuple):
    """Texts of files for uv, and what is there already."""

    wishes: str
    overrides: str
    constraints: str
    have: frozenset[str]
    dropped: tuple[str, ...]

    def read(self, pins: str) -> list[str]:
        """The lines of uv's answer that have to be installed."""
        lines = [line.strip() for line in pins.splitlines()]
        return [line for line in lines if line and not line.startswith("#") and not self._is_there(line)]

    def _is_there(self, line: str) -> bool:
        read = read_requirement(line)
        return _spell(line) in self.have or (bool(self.dropped) and read.name.startswith(self.dropped))


def ask(wishes: Iterable[str], have: Iterable[str], kept: Iterable[str]) -> Question:
    """The question for `wishes` next to what there is (`name==version`), of which the `kept` may not be replaced.

    A build's own tag (`+cu126`) is on no index: that part of a version is left out.
    """
    there = {line.partition("==")[0]: line.partition("+")[0] for line in have}
    versions = {name: line.partition("==")[2] for name, line in there.items()}
    kept = set(kept)
    wanted = [wish for wish in wishes if read_requirement(wish).name not in kept]
    names = {read_requirement(wish).name for wish in wanted}
    partners = names & set(_PARTNERS) if "torch" in kept else set()
    free = [read_requirement(wish).spell_any() if read_requirement(wish).name in partners else wish for wish in wanted]
    free += [there["torch"]] if partners else []
    stay = kept - {"torch"} if partners else kept
    overrides = ["%s ; sys_platform == 'never'" % name for name in sorted(stay)]  # who asks for it is content without
    changing = {read.name for read in map(read_requirement, wanted) if not read.admits(versions.get(read.name, ""))}
    constraints = [line for name, line in sorted(there.items()) if name not in kept | changing | partners]
    free_text, override_text, constraint_text = map("\n".join, (free, overrides, constraints))
    have_now, dropped = frozenset(there.values()), _PARTS if partners else ()
    return Question(free_text, override_text, constraint_text, have_now, dropped)


def relax(wishes: Iterable[str]) -> list[str]:
    """The same packages in any version."""
    return [read_requirement(wish).spell_any() for wish in wishes]


def _spell(line: str) -> str:
    read = read_requirement(line)
    return read.name + read.specifier.partition("+")[0]
