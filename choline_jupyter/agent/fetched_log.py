"""The log of files that came on demand: the supervisor writes it, the workspace learns from it that no job has made them.

`fetched.jsonl` in a session's folder, one line a file: its path as the kernel sees it, digest, size and time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from choline_jupyter.store.scan import sign

_KEYS = ("digest", "size", "mtime")


class FetchedLog:
    """The log in `path`; a reader goes on where it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def add(self, files: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Files by what the kernel calls them. What a full disk does not take is sent home once too often."""
        lines = [json.dumps({"path": path, **{key: entry[key] for key in _KEYS}}) + "\n" for path, entry in files]
        with suppress(OSError):
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, "".join(lines).encode())
            finally:
                os.close(fd)

    def note(self, root: str, known: dict[str, list[Any]]) -> None:
        """Put into an index what has come below `root` since the last time and is still as it came."""
        for fact in self._read():
            path = str(fact["path"])
            if not path.startswith(root + "/"):
                continue
            with suppress(OSError):
                status = os.lstat(path)
                if (status.st_size, status.st_mtime_ns) == (fact["size"], fact["mtime"]):
                    known[path[len(root) + 1 :]] = [fact["digest"], *sign(status)]

    def _read(self) -> Iterable[dict[str, Any]]:
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                lines = file.read().splitlines(keepends=True)
        except OSError:
            return []
        whole = [line for line in lines if line.endswith(b"\n")]
        self._offset += sum(map(len, whole))
        return [json.loads(line) for line in whole]
