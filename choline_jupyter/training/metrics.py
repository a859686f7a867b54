"""`log(loss=..., step=...)`: numbers of a running job, for `%choline runs` and the job's progress.

Called by the user's code. A tensor or array of one element is a number; what is no number is refused, because a misspelt
metric that is silently missing is found when the training is over.
"""

from __future__ import annotations

import math
import os
from typing import Any, Optional

from choline_jupyter.training.channel import read_order, tell


def log(
    *, step: Optional[int] = None, total: Optional[int] = None, epoch: Optional[float] = None, **metrics: Any
) -> None:
    """Note metrics of this moment. `total` is the number of steps there will be: the time that is left follows from it."""
    if not metrics and step is None and epoch is None:
        raise TypeError("log() needs a step, an epoch or a metric")
    if _is_not_first():
        return
    where = {"step": step, "total": total, "epoch": epoch}
    fact = {name: read_number(name, value) for name, value in where.items() if value is not None}
    tell(
        read_order(),
        {"kind": "metric", **fact, "metrics": {name: read_number(name, value) for name, value in metrics.items()}},
    )


def read_number(name: str, value: Any) -> Any:
    """An int or float; JSON has no word for nan and the infinities, so they are told as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        take = getattr(value, "item", None)
        value = take() if callable(take) else value
    if not isinstance(value, (int, float)):
        raise TypeError("log(%s=...) is %s, which is no number" % (name, type(value).__name__))
    return value if math.isfinite(value) else repr(float(value))


def _is_not_first() -> bool:
    """Of several ranks the first one tells."""
    return os.environ.get("RANK", "0") != "0"
