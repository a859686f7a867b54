"""The fleet's clock: what machines have cost and how long they may live is counted by it, whatever happens to the clock of day.

Made by `session.rent.fleet`. Seconds since the epoch, which pass as the system's uptime does (sleep included): a clock of day
that is set right while a machine runs makes nothing cheaper, dearer or longer. All processes of one ledger have the same
anchor, in a file beside it; a new one is set after each start of the system, and when nothing runs (`set_anew`).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_AGAIN = 1.0  # seconds
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Anchor(NamedTuple):
    """At `uptime` seconds of the start named `boot` it was `day`."""

    boot: str
    uptime: float
    day: float


class SteadyClock:
    """`path` is the anchor's file; where it cannot be kept, the clock is steady within this process."""

    def __init__(self, path: Path, day: Callable[[], float] = time.time) -> None:
        self._path, self._day = path, day
        self._anchor: Anchor | None = None
        self._changed, self._due = 0, 0.0  # when the anchor's file was written, and when to look at it again

    def __call__(self) -> float:
        uptime = find_uptime()
        if uptime >= self._due:  # a round over a thousand machines asks a thousand times
            self._due, changed = uptime + _AGAIN, self._find_change()
            if changed != self._changed:
                self._anchor, self._changed = self._read() or self._anchor, changed
        anchor = self._anchor or self.set_anew()
        return anchor.day + uptime - anchor.uptime

    def set_anew(self) -> Anchor:
        """From now on it is what the clock of day says; for when nothing is counted."""
        self._anchor = Anchor(find_boot(), find_uptime(), self._day())
        with suppress(OSError):
            new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            new.write_text(json.dumps(self._anchor))
            new.replace(self._path)
        self._changed = self._find_change()
        return self._anchor

    def _find_change(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0

    def _read(self) -> Anchor | None:
        """The anchor that others have set since the system was started."""
        try:
            boot, uptime, day = json.loads(self._path.read_text())
            anchor = Anchor(str(boot), float(uptime), float(day))
        except (OSError, ValueError, TypeError):
            return None
        return anchor if anchor.boot == find_boot() else None


def find_uptime() -> float:
    """Seconds that go on while the system sleeps, where it counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def find_boot() -> str:
    """What is another after each start; empty where the system does not tell, and then the anchor is this process's own."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return f"process {os.getpid()}"
