"""Growing files: which of them has new bytes, without looking at them all the time.

Used by `agent.script` to follow what a script writes. Linux's inotify through ctypes, because the standard library has
no name for it; see inotify(7).
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_IN_MODIFY = 0x2
_IN_NONBLOCK = os.O_NONBLOCK
_EVENT = struct.Struct("iIII")
_OVERFLOWN = -1


class FileWatch:
    """Tells in which order watched files grew. `fileno` becomes readable when one has."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(_IN_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify is not available")
        self._paths: dict[int, Path] = {}

    def fileno(self) -> int:
        return int(self._fd)

    def add(self, path: Path) -> None:
        """Watch an existing file."""
        number = self._libc.inotify_add_watch(self._fd, os.fsencode(path), _IN_MODIFY)
        if number < 0:
            raise OSError(ctypes.get_errno(), "cannot watch", str(path))
        self._paths[number] = path

    def read(self) -> list[Path]:
        """The files that grew since the last call, in the order in which they did; one after another, not twice."""
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return []
        grown: list[Path] = []
        offset = 0
        while offset < len(data):
            number, _, _, length = _EVENT.unpack_from(data, offset)
            offset += _EVENT.size + length
            if number == _OVERFLOWN:  # which files grew was lost: each may have
                grown += self._paths.values()
                continue
            path = self._paths.get(number)
            if path and (not grown or grown[-1] != path):
                grown.append(path)
        return grown

    def close(self) -> None:
        os.close(self._fd)
