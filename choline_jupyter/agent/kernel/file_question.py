"""A question for a file from Python, where the shim could not be loaded: the same rules, words and memory.

Used by `agent.kernel.file_hook`; speaks to `agent.file_requests`. What is asked, and what the answer means, is said at
the top of preload/shim.c.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
import time
from typing import Any, Optional

_PATIENCE = 10.0
_PAUSE = 0.05
_HEAD = struct.Struct("=II")


class FileQuestions:
    """What one process has asked; used by any of its threads. `roots` and `excluded` are absolute, normalised paths."""

    def __init__(self, address: str, roots: list[str], excluded: list[str]) -> None:
        self._address, self._roots, self._excluded = address, roots, excluded
        self._asked: set[tuple[str, str]] = set()
        self._own = threading.local()
        self._is_lost = False

    def forget(self) -> None:
        """A cell begins: ask anew."""
        self._asked.clear()
        self._is_lost = False

    def suspend(self, is_paused: int) -> None:
        """Ask nothing for this thread, or again."""
        self._own.is_busy = bool(is_paused)

    def need(self, kind: str, given: Any, dir_fd: Optional[int] = None) -> list[str]:
        """Have what a call needs; the names that a directory (`kind` D) has elsewhere. Raises OSError for a refusal."""
        if getattr(self._own, "is_busy", False) or isinstance(given, int):
            return []
        self._own.is_busy = True
        try:
            path = _make_absolute(given, dir_fd)
            return self._fetch(kind, path) if path else []
        finally:
            self._own.is_busy = False

    def _fetch(self, kind: str, path: str) -> list[str]:
        if kind == "P":  # what is about to be made needs its folder
            kind, path = "F", os.path.dirname(path)
        if not self._is_wanted(path) or (kind, path) in self._asked or (kind == "F" and _is_here(path)):
            return []
        number, names = self._ask(kind, path)
        if kind != "X" and not names:
            self._asked.add((kind, path))
        if number:
            raise OSError(number, os.strerror(number), path)
        return names

    def _is_wanted(self, path: str) -> bool:
        return _is_below(path, self._roots) and not _is_below(path, self._excluded)

    def _ask(self, kind: str, path: str) -> tuple[int, list[str]]:
        """Ask, again when the supervisor was replaced meanwhile."""
        deadline = time.monotonic() + _PATIENCE
        while not self._is_lost:
            try:
                return self._converse(kind, path)
            except OSError:
                self._is_lost = time.monotonic() > deadline
                time.sleep(_PAUSE)
        return 0, []

    def _converse(self, kind: str, path: str) -> tuple[int, list[str]]:
        question = kind.encode() + os.fsencode(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
            one.connect(self._address)
            one.sendall(struct.pack("=I", len(question)) + question)
            number, size = _HEAD.unpack(_receive(one, _HEAD.size))
            names = _receive(one, size)
        return number, [os.fsdecode(name) for name in names.split(b"\0")[:-1]]


def _make_absolute(given: Any, dir_fd: Optional[int]) -> str:
    """The normalised path that a call names; empty for what is none."""
    try:
        path = os.fsdecode(os.fspath(given))
        base = os.getcwd() if dir_fd is None else os.readlink("/proc/self/fd/%d" % dir_fd)
    except (OSError, TypeError):
        return ""
    return os.path.normpath(os.path.join(base, path)) if path and "\0" not in path else ""


def _is_here(path: str) -> bool:
    try:
        os.stat(path)
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR)
    return True


def _is_below(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def _receive(one: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = one.recv(size - len(data))
        if not part:
            raise ConnectionResetError(errno.ECONNRESET, "the supervisor has ended")
        data += part
    return data
