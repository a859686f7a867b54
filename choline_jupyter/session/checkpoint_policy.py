"""Which checkpoints of a job are kept at home: the last ones, the best one, one for every so many hours.

Used by `session.checkpoints` after each arrival; `--keep last=3,best=loss,every=2h` is read here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from choline_jupyter.errors import RequestError
from choline_jupyter.session.checkpoint_record import Kept

_DURATION = re.compile(r"([0-9]{1,6})(h|m)\Z")
_METRIC = re.compile(r"(max:)?([A-Za-z_][A-Za-z0-9_/.-]{0,80})\Z")
_HINT = "Write it like last=3,best=loss,every=2h; best=max:accuracy takes the largest."


@dataclass(frozen=True)
class Policy:
    """`last` newest ones, the one with the best `metric` (empty: none), the first of each `every` seconds (0: none)."""

    last: int = 3
    metric: str = "loss"
    is_largest: bool = False
    every: int = 0


def read_policy(text: str | None) -> Policy:
    """What `--keep` says; raises RequestError."""
    policy = {"last": 3, "metric": "loss", "is_largest": False, "every": 0}
    for word in filter(None, (text or "").split(",")):
        name, _, value = word.partition("=")
        metric, duration = _METRIC.match(value), _DURATION.match(value)
        if name == "last" and value.isdigit() and 0 < int(value) <= 100_000:
            policy["last"] = int(value)
        elif name == "best" and metric:
            policy["is_largest"], policy["metric"] = bool(metric[1]), metric[2]
        elif name == "every" and duration and int(duration[1]):
            policy["every"] = int(duration[1]) * (3600 if duration[2] == "h" else 60)
        else:
            raise RequestError(f"--keep {word!r:.80} is not understood.", _HINT)
    return Policy(**policy)  # type: ignore[arg-type]  # each is of its field's type


def choose_surplus(kept: Sequence[Kept], policy: Policy) -> list[Kept]:
    """Those that go, of one job's, oldest first; previews and each noticed file count by themselves."""
    kinds: dict[str, list[Kept]] = {}
    for one in kept:
        kinds.setdefault("preview" if one.record.get("preview") else str(one.record.get("source")), []).append(one)
    return [one for same in kinds.values() for one in same if one not in _choose(same, policy)]


def _choose(kept: list[Kept], policy: Policy) -> list[Kept]:
    chosen = kept[-policy.last :]
    rated = [(value, one) for one in kept if (value := one.find_metric(policy.metric)) is not None]
    if rated:
        best = max if policy.is_largest else min
        chosen = [*chosen, best(rated, key=lambda pair: pair[0])[1]]
    if policy.every:
        firsts = {int(one.at // policy.every): one for one in reversed(kept)}
        chosen = [*chosen, *firsts.values()]
    return chosen
