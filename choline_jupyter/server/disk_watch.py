"""Tells when files of one folder change, without asking again and again.

Started by `server.news`. On Linux the kernel tells (inotify); elsewhere the files' sizes and times are looked at five
times a second, which costs some microseconds each. Either way a burst of changes is told of once in `PAUSE` seconds.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

PAUSE = 0.1
_LOOK = 0.2  # seconds between looks where the operating system cannot tell

_MODIFY, _CREATE, _MOVED_TO, _DELETE = 0x2, 0x100, 0x80, 0x200
_HEAD = struct.Struct("iIII")


class DiskWatch:
    """Lives in the running event loop, from `start` to `close`. `names` are those of the files, in `folder`; none: all."""

    def __init__(self, folder: Path, names: Sequence[str], notify: Callable[[], None]) -> None:
        self._folder, self._names, self._notify = folder, frozenset(names), notify
        self._loop = asyncio.get_running_loop()
        self._fd = -1
        self._timer: asyncio.TimerHandle | None = None
        self._seen: list[tuple[str, int, int]] = []

    @property
    def is_told(self) -> bool:
        """Whether the operating system tells of changes."""
        return self._fd >= 0

    def start(self) -> None:
        """Watch from now on."""
        self._fd = _open_inotify(self._folder)
        if self.is_told:
            self._listen()
        else:
            self._seen = self._look()
            self._wait(_LOOK, self._compare)

    def close(self) -> None:
        """Watch no more."""
        if self._timer:
            self._timer.cancel()
        if self.is_told:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _listen(self) -> None:
        self._loop.add_reader(self._fd, self._read)

    def _read(self) -> None:
        """At once for the first change; those of the next moment are one more."""
        names = _read_names(self._fd)
        if names and (not self._names or self._names.intersection(names)):
            self._loop.remove_reader(self._fd)
            self._wait(PAUSE, self._listen_again)
            self._notify()

    def _listen_again(self) -> None:
        """Told once more: SQLite makes a commit visible a moment after its last write."""
        self._listen()
        self._notify()

    def _compare(self) -> None:
        self._wait(_LOOK, self._compare)
        now = self._look()
        if now != self._seen:
            self._seen = now
            self._notify()

    def _look(self) -> list[tuple[str, int, int]]:
        names = self._names or {path.name for path in self._folder.glob("*")}
        return [_stat(self._folder / name) for name in sorted(names)]

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._timer = self._loop.call_later(seconds, then)


def _stat(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return path.name, -1, 0
    return path.name, status.st_size, status.st_mtime_ns


def _open_inotify(folder: Path) -> int:
    """A descriptor that is readable when something in the folder changes; -1 where there is no such thing."""
    if not sys.platform.startswith("linux"):
        return -1
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    except (OSError, AttributeError):
        return -1
    if fd >= 0 and libc.inotify_add_watch(fd, os.fsencode(folder), _MODIFY | _CREATE | _MOVED_TO | _DELETE) < 0:
        os.close(fd)
        return -1
    return fd


def _read_names(fd: int) -> list[str]:
    """The names of the files that have changed."""
    try:
        data = os.read(fd, 1 << 16)
    except BlockingIOError:
        return []
    names, start = [], 0
    while start < len(data):
        length = _HEAD.unpack_from(data, start)[3]
        start += _HEAD.size
        names.append(os.fsdecode(data[start : start + length].rstrip(b"\0")))
        start += length
    return names
