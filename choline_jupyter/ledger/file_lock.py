"""An advisory lock on a file: many may share it, or one may have it alone.

Used by `ledger.database` so that a damaged file is moved aside only when nobody else has it open, and by whoever works on
something so that others know. The kernel gives the lock back when the process dies, whatever kills it.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_INTERVAL = 0.01  # seconds between two tries; flock has no timeout of its own


class FileLock:
    """The lock on `path`, which is made if need be (0600) and never deleted. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def fileno(self) -> int:
        """For a process that is to hold it as well: it is given back when the last of them has let go."""
        return self._fd

    def share(self, patience: float) -> bool:
        """Hold it together with others; False when someone held it alone for `patience` seconds."""
        return self._acquire(fcntl.LOCK_SH, patience)

    def seize(self, patience: float) -> bool:
        """Hold it alone; False, holding nothing, when others held it for `patience` seconds."""
        return self._acquire(fcntl.LOCK_EX, patience)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    def _acquire(self, operation: int, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self._fd, operation | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_INTERVAL)
            else:
                return True


def is_held(path: Path) -> bool:
    """Whether anybody has the lock on `path` now, in whatever process; it is not made for that."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        return not lock.seize(0)
    finally:
        lock.close()
