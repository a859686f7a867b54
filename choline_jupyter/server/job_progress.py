"""How far a job is and how its loss goes: as its code has logged it, else as its output says.

Called by `server.job_state` in the reading thread. Promise: what is not known is None or empty, never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from choline_jupyter.model.event import Event
from choline_jupyter.server.printed import read_losses, read_progress
from choline_jupyter.session.progress_record import Progress
from choline_jupyter.session.progress_record import read_progress as read_logged

_POINTS = 120
_MFU = "mfu"
_PRINTED_MFU = re.compile(r"\bmfu\b[\"']?\s*[:=]?\s*(\d{1,3}(?:\.\d+)?)\s?%", re.IGNORECASE)
_RECENT = 20_000  # characters in which the printed figure is looked for


def describe_progress(logged: Sequence[Event], text: str) -> dict[str, Any]:
    """`progress` (done, total, left in seconds, rate as written) or None, `losses`, and `mfu` as a share or None.

    `logged` are METRIC and PROGRESS events of the job, `text` is the end of what it has printed.
    """
    told = read_logged(logged)
    losses = [value for value in told.list_values() if math.isfinite(value)]
    return {
        "progress": _find_place(told) or read_progress(text),
        "losses": _thin(losses) or read_losses(text),
        "mfu": _find_mfu(told, text),
    }


def _find_place(told: Progress) -> dict[str, Any] | None:
    for name, last in (("step", "total"), ("epoch", "epochs")):
        done, total = told.find_last(name), told.find_last(last)
        if done is not None and total and 0 <= done <= total:
            return {"done": done, "total": total, "left": told.estimate_left(), "rate": ""}
    return None


def _find_mfu(told: Progress, text: str) -> float | None:
    """Of the logged figures the last, which may be a share or percent; of printed ones only what says percent."""
    values = [value for value in told.list_values(_MFU) if math.isfinite(value) and 0 <= value <= 100]
    if values:
        return values[-1] if values[-1] <= 1 else values[-1] / 100
    printed = _PRINTED_MFU.findall(text[-_RECENT:])
    return float(printed[-1]) / 100 if printed and float(printed[-1]) <= 100 else None


def _thin(values: list[float]) -> list[float]:
    """At most so many, the last one among them."""
    step = -(-len(values) // _POINTS) or 1
    return values[::-1][::step][::-1]
