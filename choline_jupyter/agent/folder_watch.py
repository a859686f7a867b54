"""Folders in which files are written: which file has been closed or moved there, in a whole tree.

Used by `agent.checkpoint_sight`. Linux's inotify through ctypes, as in `agent.file_watch`: a writer is noticed when it closes
its file, so nobody looks at files that are being written.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Container

_IN_CLOSE_WRITE, _IN_MOVED_TO, _IN_CREATE, _IN_ISDIR = 0x8, 0x80, 0x100, 0x40000000
_IN_ONLYDIR, _IN_DONT_FOLLOW = 0x1000000, 0x2000000
_MASK = _IN_CLOSE_WRITE | _IN_MOVED_TO | _IN_CREATE | _IN_ONLYDIR | _IN_DONT_FOLLOW
_EVENT = struct.Struct("iIII")
_SKIPPED = {"__pycache__", ".git", "node_modules", ".ipynb_checkpoints"}
_MOST = 5000  # folders; inotify's own limit is per user


class FolderWatch:
    """`fileno` becomes readable when a file was written. Raises OSError where there is no inotify."""

    def __init__(self, root: str, apart: Container[str]) -> None:
        """`apart` are folders that are not looked into."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify is not available")
        self._apart = apart
        self._folders: dict[int, str] = {}
        for _ in self._add(root):
            pass  # what is there already has not been written now

    def fileno(self) -> int:
        return int(self._fd)

    def read(self) -> list[str]:
        """The files that were written since the last call, in that order."""
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return []
        found: list[str] = []
        offset = 0
        while offset < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, offset)
            name = data[offset + _EVENT.size : offset + _EVENT.size + length].rstrip(b"\0")
            offset += _EVENT.size + length
            folder = self._folders.get(number)
            if folder is None or not name:
                continue
            path = os.path.join(folder, os.fsdecode(name))
            if mask & _IN_ISDIR:
                found += self._add(path)
            elif mask & (_IN_CLOSE_WRITE | _IN_MOVED_TO):
                found.append(path)
        return found

    def close(self) -> None:
        os.close(self._fd)

    def _add(self, folder: str) -> list[str]:
        """Watch a folder and all below it; gives the files that are in it: they may have been written before it was watched."""
        found: list[str] = []
        for path, folders, _ in os.walk(folder):
            folders[:] = [name for name in folders if name not in _SKIPPED]
            if path in self._apart or os.path.basename(path) in _SKIPPED or len(self._folders) >= _MOST:
                folders.clear()
                continue
            number = self._libc.inotify_add_watch(self._fd, os.fsencode(path), _MASK)
            if number >= 0:
                self._folders[number] = path
                found += _list_files(path)
        return found


def _list_files(folder: str) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(folder) if entry.is_file()]
    except OSError:
        return []
