"""The way from the user's code to the agent: what the agent orders is read, what happens is told, one line each.

Used by the rest of this package. The agent (`agent.training_feed`) says in the environment variable `CHOLINE_TRAINING` which job
this is, where its checkpoints go and which file is appended to. Any process of a job may tell; nothing waits for a reader.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

VARIABLE = "CHOLINE_TRAINING"
_LONGEST = 1 << 20  # bytes of one line


class Order(NamedTuple):
    """`folder` is where checkpoints are written, `keep` how many of them stay there (0: all), `told` what is appended to;
    `notice` is there when the machine is about to be taken away.
    """

    folder: Path
    job: str = ""
    keep: int = 3
    told: str = ""
    notice: str = ""


def read_order() -> Order:
    """What the agent wants now; without one, a folder of this process's own in the working folder."""
    try:
        found = json.loads(os.environ.get(VARIABLE) or "{}")
        if found:
            told, notice = str(found["told"]), str(found.get("notice", ""))
            return Order(Path(found["folder"]), str(found["job"]), int(found["keep"]), told, notice)
    except (ValueError, KeyError, TypeError):
        pass  # of another version; nothing of it may stop a training
    return Order(Path.cwd() / "checkpoints" / "here")


def tell(order: Order, fact: dict[str, Any]) -> None:
    """Append one line for the agent, if there is one; what a full disk does not take is lost, the job goes on."""
    if not order.told:
        return
    line = json.dumps({**fact, "job": order.job}).encode() + b"\n"
    if len(line) > _LONGEST:
        raise ValueError("what is told at once must be less than 1 MB")
    try:
        fd = os.open(order.told, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, line)  # one call: lines of several processes do not mix
        finally:
            os.close(fd)
    except OSError:
        pass
