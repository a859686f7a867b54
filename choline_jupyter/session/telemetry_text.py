"""What ranks took of their machine, in one line: `GPU 0: peak 31.2 of 80 GB, busy 87 %`.

Used by `magic.rank_output`, and for what is said of a job on a rented machine; the facts come from `agent.kernel.telemetry`
and `agent.script_usage`. Promise: whatever a machine makes them, nothing is raised, and what is no amount is left out.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from choline_jupyter.model.event import Event
from choline_jupyter.session.rank_text import name_ranks

LONG = float(os.environ.get("CHOLINE_TELEMETRY_SECONDS", "10"))  # of a cell after which it is said
SHORT = 1.0  # the same where it has a GPU elsewhere
_GB = 1e9
_MOST_GPUS = 64

Facts = Mapping[int, Mapping[str, Any]]  # by rank


def read_telemetry(event: Event) -> dict[str, Any] | None:
    """What a metric's event tells of its rank's machine; None where it is about something else."""
    fact = event.read_content().get("telemetry")
    return fact if isinstance(fact, dict) else None


def render_telemetry(facts: Facts, is_many: bool = True, least: float = LONG) -> str:
    """One line on a job's ranks; nothing for a job of less than so many seconds."""
    is_long = any((_read(fact, "seconds") or 0.0) >= least for fact in facts.values())
    usage = render_usage(facts, is_many) if is_long else ""
    return f"choline: {usage}.\n" if usage else ""


def render_usage(facts: Facts, is_many: bool | None = None) -> str:
    """What a job's ranks took; empty where nothing is known. A rank that is alone has a number only with `is_many`."""
    return "; ".join(_list_gpus(facts) or _list_processes(facts, len(facts) > 1 if is_many is None else is_many))


def has_gpu(facts: Facts) -> bool:
    """Whether any of them is of a GPU."""
    return bool(_list_gpus(facts))


def _list_gpus(facts: Facts) -> list[str]:
    """Each GPU once, whichever of the ranks have told of it."""
    gpus: dict[int, Mapping[str, Any]] = {}
    for rank, fact in sorted(facts.items()):
        told = fact.get("gpus") if isinstance(fact.get("gpus"), list) else [fact.get("gpu")]
        for gpu in told[:_MOST_GPUS] if told else ():
            if isinstance(gpu, Mapping):
                index = _read(gpu, "index")
                gpus.setdefault(rank if index is None else int(index), gpu)
    described = {index: _describe_gpu(gpu) for index, gpu in sorted(gpus.items())}
    return [f"GPU {index}: {text}" for index, text in described.items() if text]


def _describe_gpu(gpu: Mapping[str, Any]) -> str:
    memory, total, busy, power = (_read(gpu, name) for name in ("memory", "total", "busy", "power"))
    parts = []
    if memory is not None:
        parts.append(f"peak {memory / _GB:.1f}{'' if total is None else f' of {total / _GB:.0f}'} GB")
    if busy is not None:
        parts.append(_render_share("busy", busy))
    if power is not None:
        parts.append(f"{power:.0f} W")
    return ", ".join(parts)


def _list_processes(facts: Facts, is_many: bool) -> list[str]:
    """Ranks that took about the same are one part; a kernel alone has no number."""
    same: dict[str, list[int]] = {}
    for rank, fact in sorted(facts.items()):
        memory, cpu = _read(fact, "memory"), _read(fact, "cpu")
        parts = [] if memory is None else [f"peak {_render_size(memory)}"]
        parts += [] if cpu is None else [f"processor {_render_share('', cpu).strip()} busy"]
        if parts:
            same.setdefault(", ".join(parts), []).append(rank)
    return [f"{name_ranks(ranks)}: {text}" if is_many else text for text, ranks in same.items()]


def _render_size(size: float) -> str:
    return f"{size / _GB:.1f} GB" if size >= _GB else f"{size / 1e6:.0f} MB"


def _render_share(what: str, share: float) -> str:
    return f"{what} {100 * share:.0f} %"


def _read(fact: Mapping[str, Any], name: str) -> float | None:
    """An amount; None for what is not told or none."""
    value = fact.get(name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e18 and math.isfinite(value) else None  # type: ignore[operator,arg-type]
