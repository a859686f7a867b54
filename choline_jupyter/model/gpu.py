"""GPUs by name: their memory, bandwidth and peak speed, and everybody's spelling of them.

Called by `session` (what the user wishes for) and `providers` (what a provider calls it). A name may stand for a family:
`a100` is an A100 of any memory, `h100` one of any form; `includes` tells whether an offered one is what was wished for.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from choline_jupyter.model.gpu_table import ROWS, Row

_GIB = 1 << 30
_MOST = 1024  # GPUs that one may ask for
_NEAR = 0.15  # what a provider tells of memory may be off by so much: ECC, GB for GiB
_FILLERS = re.compile(r"nvidia|geforce|tesla|quadro|\bamd\b|instinct|radeon|generation|tensor core|\bgpu\b")
_BEFORE = re.compile(r"\s*([0-9]{1,9})\s*x\s*(?=[a-z0-9])", re.IGNORECASE)
_BEHIND = re.compile(r"\s*:\s*([0-9]{1,9})\s*\Z")


class Peaks(NamedTuple):
    """Dense FLOP/s by type of number; 0 where the hardware has no such arithmetic."""

    fp32: float
    tf32: float
    fp16: float
    bf16: float
    fp8: float


@dataclass(frozen=True)
class Gpu:
    """One kind of GPU, or a family of them (`members` has their names, and every figure is the lowest among them).

    `memory` is in bytes as it is sold, `bandwidth` in bytes per second; `aliases` are what it is also called, in lower
    case without blanks and punctuation.
    """

    name: str
    memory: int
    bandwidth: float
    peaks: Peaks
    aliases: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    def includes(self, name: str) -> bool:
        """Whether a GPU of this name (of the table) is one of these."""
        return name == self.name or name in self.members


class UnknownGpu(ValueError):
    """No GPU is called that; `nearest` has names that are spelled like it."""

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


def find_gpu(text: str, memory: int = 0) -> Gpu:
    """The GPU of this name, however it is spelled; raises UnknownGpu.

    `memory` (bytes of one, as a provider tells; 0: not known) decides between the members of a family.
    """
    found = _SPELLINGS.get(_squeeze(text), ())
    near = [gpu for gpu in found if memory and abs(gpu.memory - memory) <= _NEAR * gpu.memory]
    if len(near) == 1:
        return near[0]
    if len(found) == 1:
        return found[0]
    if found:
        return _FAMILIES[found]
    raise UnknownGpu(f"No GPU is known as {text[:60]!r}.", _list_nearest(text))


def read_gpus(text: str) -> tuple[int, Gpu]:
    """`a100`, `4xa100` or `a100:4` as a count and a GPU; raises UnknownGpu, or ValueError for a count."""
    before, behind = _BEFORE.match(text), _BEHIND.search(text)
    if before and behind:
        raise ValueError(f"{text[:60]!r} has two counts")
    told = before or behind
    count = int(told[1]) if told else 1
    if not 1 <= count <= _MOST:
        raise ValueError(f"{count} GPUs cannot be had")
    return count, find_gpu(text[before.end() :] if before else text[: behind.start()] if behind else text)


def list_gpus() -> list[Gpu]:
    """All of the table, without families."""
    return list(_GPUS)


def list_models() -> list[str]:
    """What may be written behind `--gpu`, each kind once, sorted."""
    return sorted({model for row in ROWS for model in row.models})


def list_matching(memory: int) -> list[Gpu]:
    """The GPUs that have at least so many bytes of memory, the smallest first."""
    return sorted((gpu for gpu in _GPUS if gpu.memory >= memory), key=lambda gpu: (gpu.memory, gpu.name))


def _squeeze(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", _FILLERS.sub("", text[:200].lower()))


def _list_nearest(text: str) -> tuple[str, ...]:
    close = difflib.get_close_matches(_squeeze(text), _SPELLINGS, n=6, cutoff=0.5)
    names = [_SPELLINGS[key][0].name if len(_SPELLINGS[key]) == 1 else _FAMILIES[_SPELLINGS[key]].name for key in close]
    return tuple(dict.fromkeys(names))[:3]


def _spell(row: Row) -> Iterator[str]:
    """All spellings of a row: model, memory and form in any order, memory and form also left out."""
    yield from map(_squeeze, (row.name, *row.aliases))
    for model in row.models:
        for size in ("", f"{row.memory}g", f"{row.memory}gb", f"{row.memory}gib"):
            for form in ("", *map(_squeeze, row.forms)):
                yield model + size + form
                yield model + form + size


def _make(row: Row) -> Gpu:
    peaks = Peaks(*(value * 1e12 for value in (row.fp32, row.tf32, row.fp16, row.bf16, row.fp8)))
    return Gpu(row.name, row.memory * _GIB, row.bandwidth * 1e9, peaks, tuple(dict.fromkeys(_spell(row))))


def _index(gpus: tuple[Gpu, ...]) -> dict[str, tuple[Gpu, ...]]:
    found: dict[str, tuple[Gpu, ...]] = {}
    for gpu in gpus:
        for alias in gpu.aliases:
            found[alias] = (*found.get(alias, ()), gpu)
    return found


def _merge(members: tuple[Gpu, ...], name: str) -> Gpu:
    aliases = tuple(alias for alias, found in _SPELLINGS.items() if found == members)
    peaks = Peaks(*(min(column) for column in zip(*(gpu.peaks for gpu in members))))
    memory, bandwidth = min(gpu.memory for gpu in members), min(gpu.bandwidth for gpu in members)
    return Gpu(name, memory, bandwidth, peaks, aliases, tuple(gpu.name for gpu in members))


def _list_families() -> Iterator[tuple[tuple[Gpu, ...], Gpu]]:
    """What several share a spelling of: `H100` all that are called so, `H100 80GB` some of them."""
    names: set[str] = set()
    for found in sorted({found for found in _SPELLINGS.values() if len(found) > 1}, key=len, reverse=True):
        model = found[0].name.split()[0]
        name = f"{model} {found[0].memory // _GIB}GB" if model in names else model
        names.add(name)
        yield found, _merge(found, name)


_GPUS = tuple(map(_make, ROWS))
_SPELLINGS = _index(_GPUS)
_FAMILIES = dict(_list_families())
