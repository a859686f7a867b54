"""Growing files where inotify has nothing left for this user (`fs.inotify.max_user_instances`): they are looked at often.

Used by `agent.script` in the place of `agent.file_watch`, whose calls it takes. Linux's timerfd through ctypes, so that it can be
waited for like any other file; see timerfd_create(2).
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Union

from choline_jupyter.agent.file_watch import FileWatch

_PERIOD = 50_000_000  # ns
_CLOCK_MONOTONIC = 1


class FilePolling:
    """`fileno` becomes readable 20 times a second, whether or not a file has grown."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd is not available")
        libc.timerfd_settime(self._fd, 0, (ctypes.c_long * 4)(0, _PERIOD, 0, _PERIOD), None)
        self._sizes: dict[Path, int] = {}

    def fileno(self) -> int:
        return int(self._fd)

    def add(self, path: Path) -> None:
        """Watch an existing file."""
        self._sizes[path] = path.stat().st_size

    def read(self) -> list[Path]:
        """The files that grew since the last call."""
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return []
        grown = []
        for path, known in self._sizes.items():
            size = path.stat().st_size
            if size != known:
                self._sizes[path] = size
                grown.append(path)
        return grown

    def close(self) -> None:
        os.close(self._fd)


def watch_files() -> Union[FileWatch, FilePolling]:
    """What tells which files have grown, the best that there is here."""
    try:
        return FileWatch()
    except OSError:
        return FilePolling()
