"""Until when this machine may live: what the supervisor tells the watchdog that ends a rented machine.

The watchdog is a shell loop that the machine's first process has started (its text is in providers/startup.py); it reads
one number from a file here, the second of /proc/uptime at which the machine ends. On a machine without a watchdog (the
user's own) nothing of this is done. Limits are kept, so that a supervisor that is started anew goes on with them. They
count by CLOCK_BOOTTIME, which no change of the clock of day moves and which goes on while the machine sleeps.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Optional

FOLDER = Path(os.environ.get("CHOLINE_WATCH") or "/var/tmp/choline-watch")  # noqa: S108 - as providers/startup.py has it
_NOTICE = 20.0  # seconds before the end in which sessions are ended, so that their last words leave
_FIRST_LEASE = 1800.0


class Watch:
    """One machine's limits: its end, and how long it may be idle. `folder` is the watchdog's."""

    def __init__(self, home: Path, folder: Path = FOLDER) -> None:
        self._file, self._folder = home / "limits.json", folder
        self._end, self._lease, self._hold = _read(self._file, self._find_start())
        self._is_awaited = False
        self._idle_since = find_uptime()
        self._is_busy = False

    @property
    def notice(self) -> Path:
        """The file by which the machine is told that it is about to be taken away."""
        return self._folder / "notice"

    @property
    def is_armed(self) -> bool:
        """Whether a watchdog runs here."""
        return (self._folder / "end").exists()

    def limit(self, left: float, lease: float, hold: float = 0.0) -> None:
        """The machine may live for `left` seconds more, idle for `lease`, and for `hold` beyond it while results wait."""
        self._end, self._lease, self._hold = find_uptime() + left, lease, hold
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({"end": self._end, "lease": lease, "hold": hold, "boot": self._find_start()}))
        new.replace(self._file)
        self.refresh()

    def note(self, is_busy: bool, is_awaited: bool = False) -> None:
        """Whether any job runs now, and whether what jobs have put out waits for a client.

        The lease begins when a job ends, or when the user does something.
        """
        if self._is_busy and not is_busy:
            self.touch()
        self._is_busy, self._is_awaited = is_busy, is_awaited
        self.refresh()

    def touch(self) -> None:
        """The user has done something: the lease begins anew."""
        self._idle_since = find_uptime()

    def refresh(self) -> None:
        """Tell the watchdog."""
        if not self.is_armed:
            return
        new = self._folder / ("end.%d" % os.getpid())
        new.write_text("%d\n" % self.find_end())
        new.replace(self._folder / "end")

    def find_end(self) -> float:
        """The second at which the machine ends as things stand."""
        idle = self._find_idle_end()
        if self._end is None:  # nobody has set limits yet
            return idle
        return self._end if self._is_busy else min(self._end, idle)

    def find_left(self) -> Optional[float]:
        """Seconds until then; None where nothing would end the machine."""
        return max(0.0, self.find_end() - find_uptime()) if self.is_armed else None

    def find_reason(self) -> str:
        """Why sessions are to end now; empty while they need not."""
        if not self.is_armed or find_uptime() < self.find_end() - _NOTICE:
            return ""
        is_idle = not self._is_busy and (self._end is None or self._find_idle_end() <= self._end)
        return "its lease ran out" if is_idle else "its budget is spent or its deadline has come"

    def _find_start(self) -> str:
        """What is another after each start of the machine; a container's is told by the watchdog, whose text is written anew."""
        try:
            return "%s/%d" % (find_boot(), (self._folder / "watch").stat().st_mtime_ns)
        except OSError:
            return find_boot()

    def _find_idle_end(self) -> float:
        return self._idle_since + self._lease + (self._hold if self._is_awaited else 0.0)


def find_uptime(told: str = "/proc/uptime") -> float:
    """Seconds since the machine was started: by the file that the watchdog reads, since a container may have another
    figure there than its kernel's clock.
    """
    try:
        with open(told) as file:
            return float(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        pass
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def find_boot() -> str:
    """What is another after each start of the system; empty where it cannot be told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _read(path: Path, start: str) -> tuple[Optional[float], float, float]:
    """The limits that were set since the machine was started; none before a client has come."""
    try:
        kept = json.loads(path.read_text())
        if kept["boot"] == start:
            return float(kept["end"]), float(kept["lease"]), float(kept["hold"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None, _FIRST_LEASE, 0.0
