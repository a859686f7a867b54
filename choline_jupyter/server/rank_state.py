"""What a job takes of its machine, rank by rank, as the panel draws it: the last figures and their course.

Called by `server.job_state` in the reading thread, with the METRIC events that `agent.kernel.telemetry` has made. They come
from a machine that may be a stranger's: what is not a finite number is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from choline_jupyter.model.event import Event

_NAMES = ("telemetry", "load")
_POINTS = 60
_RANKS = 64
_PROCESS = ("memory", "cpu")
_GPU = ("index", "busy", "memory", "total", "power")


def is_telemetry(fact: Mapping[str, Any]) -> bool:
    """Whether a METRIC event's content is of this kind, and not what the user's code has logged."""
    return bool(_find_load(fact))


def describe_ranks(events: Iterable[tuple[Event, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Each rank with its last figures, and `points` of (seconds, share busy, bytes): of its GPU, or of its process."""
    ranks: dict[int, dict[str, Any]] = {}
    for event, fact in events:
        load = _find_load(fact)
        if load and (event.series.rank in ranks or len(ranks) < _RANKS):
            one = ranks.setdefault(event.series.rank, {"rank": event.series.rank, "points": []})
            _note(one, load)
    return [ranks[rank] for rank in sorted(ranks)]


def _find_load(fact: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((fact[name] for name in _NAMES if isinstance(fact.get(name), dict)), {})


def _note(one: dict[str, Any], told: Mapping[str, Any]) -> None:
    now: Mapping[str, Any] = told["now"] if isinstance(told.get("now"), dict) else told
    process, gpu = _select(now, _PROCESS), _select(now.get("gpu"), _GPU)
    one.update(seconds=_read_number(told.get("seconds")) or 0.0, peak=_select(told, _PROCESS).get("memory", 0.0))
    one.update(process=process, gpu=gpu or None)
    if gpu:
        one["peak"] = _select(told.get("gpu"), _GPU).get("memory", gpu.get("memory", 0.0))
    drawn = (gpu.get("busy"), gpu.get("memory")) if gpu else (process.get("cpu"), process.get("memory"))
    one["points"] = [*one["points"][1 - _POINTS :], (one["seconds"], *(value or 0.0 for value in drawn))]


def _select(facts: Any, keys: Iterable[str]) -> dict[str, float]:
    found = {key: _read_number(facts.get(key)) for key in keys} if isinstance(facts, dict) else {}
    return {key: value for key, value in found.items() if value is not None}


def _read_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    return value
