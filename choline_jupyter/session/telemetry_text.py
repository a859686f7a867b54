"""What ranks took of their machine, in one line: `GPU 0: peak 31.2 of 80 GB, busy 87 %`.

Used by `magic.rank_output`; the facts come from `agent.kernel.telemetry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from choline_jupyter.session.rank_text import name_ranks

LONG = 10.0  # seconds of a cell after which it is said
_GB = 1e9


def render_telemetry(facts: Mapping[int, Mapping[str, Any]]) -> str:
    """One line on a job's ranks; nothing for a job that was short."""
    if not facts or max(float(fact.get("seconds", 0)) for fact in facts.values()) < LONG:
        return ""
    gpus = [_render_gpu(fact["gpu"]) for _, fact in sorted(facts.items()) if isinstance(fact.get("gpu"), dict)]
    parts = gpus or _render_processes(facts)
    return f"choline: {'; '.join(parts)}.\n"


def _render_gpu(gpu: Mapping[str, Any]) -> str:
    parts = []
    if "memory" in gpu:
        total = f" of {gpu['total'] / _GB:.0f}" if "total" in gpu else ""
        parts.append(f"peak {gpu['memory'] / _GB:.1f}{total} GB")
    if "busy" in gpu:
        parts.append(f"busy {gpu['busy']:.0%}".replace("%", " %"))
    if "power" in gpu:
        parts.append(f"{gpu['power']:.0f} W")
    return f"GPU {gpu.get('index')}: {', '.join(parts)}"


def _render_processes(facts: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Ranks that took about the same are one part."""
    same: dict[str, list[int]] = {}
    for rank, fact in sorted(facts.items()):
        text = f"peak {float(fact.get('memory', 0)) / _GB:.1f} GB, processor {float(fact.get('cpu', 0)):.0%} busy"
        same.setdefault(text.replace("%", " %"), []).append(rank)
    return [f"{name_ranks(ranks)}: {text}" for text, ranks in same.items()]
