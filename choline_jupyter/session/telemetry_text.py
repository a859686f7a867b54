"""What ranks took of their machine, in one line: `GPU 0: peak 31.2 of 80 GB, busy 87 %`.

Used by `magic.rank_output`; the facts come from `agent.kernel.telemetry`, so possibly from a stranger: only numbers are shown.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from choline_jupyter.session.rank_text import name_ranks

LONG = float(os.environ.get("CHOLINE_TELEMETRY_SECONDS", "10"))  # of a cell after which it is said
SHORT = 1.0  # the same where it costs money, or has a GPU elsewhere
_GB = 1e9


def render_telemetry(facts: Mapping[int, Mapping[str, Any]], is_many: bool = True, least: float = LONG) -> str:
    """One line on a job's ranks; nothing for a job of less than so many seconds."""
    if not facts or max(_read(fact, "seconds") or 0.0 for fact in facts.values()) < least:
        return ""
    gpus = [_render_gpu(fact["gpu"]) for _, fact in sorted(facts.items()) if isinstance(fact.get("gpu"), dict)]
    parts = gpus or _render_processes(facts, is_many)
    return f"choline: {'; '.join(parts)}.\n"


def has_gpu(facts: Mapping[int, Mapping[str, Any]]) -> bool:
    """Whether any of them is of a GPU."""
    return any(isinstance(fact.get("gpu"), dict) for fact in facts.values())


def _render_gpu(gpu: Mapping[str, Any]) -> str:
    parts = []
    memory, total, busy, power = (_read(gpu, key) for key in ("memory", "total", "busy", "power"))
    if memory is not None:
        of = f" of {total / _GB:.0f}" if total else ""
        parts.append(f"peak {memory / _GB:.1f}{of} GB")
    if busy is not None:
        parts.append(f"busy {busy:.0%}".replace("%", " %"))
    if power is not None:
        parts.append(f"{power:.0f} W")
    return f"GPU {_read(gpu, 'index') or 0:.0f}: {', '.join(parts) or 'nothing is told of it'}"


def _render_processes(facts: Mapping[int, Mapping[str, Any]], is_many: bool) -> list[str]:
    """Ranks that took about the same are one part; a kernel alone has no number."""
    same: dict[str, list[int]] = {}
    for rank, fact in sorted(facts.items()):
        memory, cpu = _read(fact, "memory") or 0.0, _read(fact, "cpu") or 0.0
        text = f"peak {memory / _GB:.1f} GB, processor {cpu:.0%} busy"
        same.setdefault(text.replace("%", " %"), []).append(rank)
    return [f"{name_ranks(ranks)}: {text}" if is_many else text for text, ranks in same.items()]


def _read(fact: Mapping[str, Any], key: str) -> float | None:
    """A number that makes sense."""
    value = fact.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e18 or math.isnan(value):
        return None
    return float(value)
