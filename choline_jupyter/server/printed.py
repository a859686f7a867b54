r"""What a job's printed text tells: its last lines, how far its progress bar is, how its loss goes.

Called by `server.job_state`; pure functions of text. Programs say how far they are in their own output long before they
know of us: tqdm's bar is read as it is drawn, `step 3/40` or `epoch 1 of 9`, and a loss wherever a line says `loss` and a number.
"""

from __future__ import annotations

import math
import re
from typing import Any

_ESCAPE = re.compile(r"\x1b\[[ -?]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BAR = re.compile(
    r"(?P<done>[\d.]+)(?P<unit>[kMGT]?)/(?P<total>[\d.]+)(?P<of>[kMGT]?)"
    r" \[(?P<spent>[\d:]+)<(?P<left>[\d:?]+)(?:, *(?P<rate>[\d.?]+[^\],]*))?"
)
_STEP = re.compile(
    r"\b(?:step|epoch|iteration|iter|batch)s?[ :#]*(?P<done>\d{1,12}) ?(?:/|of) ?(?P<total>\d{1,12})\b", re.IGNORECASE
)
_LOSS = re.compile(r"\bloss\b[\"']?\s*[:=]?\s*(?P<value>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)", re.IGNORECASE)
_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_RECENT = 20_000  # characters in which the last word on progress is looked for
_WIDTH = 300  # characters of a line
_POINTS = 120


def read_tail(text: str, count: int) -> list[str]:
    """The last lines as a terminal would show them now: each as it stands behind its last carriage return."""
    lines = [_settle(line) for line in text.rstrip("\n").split("\n")[-count:]]
    return [line[:_WIDTH] for line in lines] if text.strip() else []


def read_progress(text: str) -> dict[str, Any] | None:
    """How far the text says that it is: `done` and `total` in its own units, `left` in seconds, `rate` as written."""
    recent = _ESCAPE.sub(" ", text[-_RECENT:].replace("\r", "\n"))
    bars, steps = list(_BAR.finditer(recent)), list(_STEP.finditer(recent))
    if steps and not (bars and bars[-1].start() > steps[-1].start()):
        return _check(float(steps[-1]["done"]), float(steps[-1]["total"]), None, "")
    if not bars:
        return None
    bar = bars[-1]
    done, total = (_read_amount(bar, *names) for names in (("done", "unit"), ("total", "of")))
    return _check(done, total, _read_seconds(bar["left"]), (bar["rate"] or "").strip())


def read_losses(text: str) -> list[float]:
    """The losses that the text names, in order: at most the last 120, finite ones only."""
    values = [float(match["value"]) for match in _LOSS.finditer(_ESCAPE.sub(" ", text))]
    return [value for value in values if math.isfinite(value)][-_POINTS:]


def _check(done: float, total: float, left: float | None, rate: str) -> dict[str, Any] | None:
    return {"done": done, "total": total, "left": left, "rate": rate} if 0 <= done <= total and total else None


def _settle(line: str) -> str:
    written = [part for part in line.split("\r") if part]
    return _ESCAPE.sub("", written[-1]).rstrip() if written else ""


def _read_amount(bar: re.Match[str], name: str, unit: str) -> float:
    try:
        return float(bar[name]) * _UNITS[bar[unit]]
    except ValueError:  # 1.2.3
        return -1.0


def _read_seconds(text: str) -> float | None:
    """`01:20` as 80; None for `?`."""
    parts = text.split(":")
    if not all(part.isdigit() for part in parts) or len(parts) > 3:
        return None
    seconds = 0
    for part in parts:
        seconds = 60 * seconds + int(part)
    return float(seconds)
