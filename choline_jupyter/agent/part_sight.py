"""The sight of parts: on one of several nodes, files of models that the job writes are told of one by one.

Used by `agent.training_feed` in its thread. What a checkpoint consists of may lie on several machines, so nobody here can tell
when it is whole; home puts it together (`session.nodes.gathering`). No copies are made: a file that changes before it was
fetched is told of again.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from choline_jupyter.agent.checkpoint_sight import SUFFIXES
from choline_jupyter.store.tensor_map import looks_whole

_READ = 4 << 20


class PartSight:
    """One job's. `knows(path, status)` says whether a file came from elsewhere and was not written by the job."""

    def __init__(self, root: str, patterns: Sequence[str], knows: Callable[[str, os.stat_result], bool]) -> None:
        self._root, self._patterns, self._knows = root, tuple(patterns), knows

    def look(self, paths: Sequence[str]) -> Iterator[dict[str, Any]]:
        """What of these files, just written, is a part of a checkpoint: where it is below the project, size, SHA-256."""
        for path in dict.fromkeys(paths):
            relative = os.path.relpath(path, self._root)
            if self._is_wanted(relative):
                with suppress(OSError):
                    yield from self._describe(path, relative)

    def _is_wanted(self, relative: str) -> bool:
        name = os.path.basename(relative)
        if name == ".metadata" or (name.endswith(SUFFIXES) and not name.startswith(".")):
            return True
        return any(fnmatch(relative, pattern) or fnmatch(name, pattern) for pattern in self._patterns)

    def _describe(self, path: str, relative: str) -> Iterator[dict[str, Any]]:
        status = os.lstat(path)
        is_ours = stat.S_ISREG(status.st_mode) and not self._knows(relative, status)
        if is_ours and (path.endswith((".distcp", ".metadata")) or looks_whole(Path(path))):
            digest = hashlib.sha256()
            with open(path, "rb") as file:
                while data := file.read(_READ):
                    digest.update(data)
                size = file.tell()
            yield {"state": "part", "path": relative, "size": size, "sha256": digest.hexdigest()}
