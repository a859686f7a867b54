"""Whether a folder on two machines is the very same one, as over a network file system: then nothing has to be copied.

The mark is made by `session` here and compared by `agent.layout` over there.
"""

from __future__ import annotations

import os
from typing import Any

_WITNESSES = 5


def make_mark(root: str) -> dict[str, Any]:
    """What tells this very folder from another of the same path: its inode, and those of some files in it."""
    names = sorted(entry.name for entry in os.scandir(root))[:_WITNESSES]
    return {"inode": os.stat(root).st_ino, "names": {name: _sign(os.path.join(root, name)) for name in names}}


def is_same(root: str, mark: dict[str, Any]) -> bool:
    """Whether the folder here is the one that the mark was made of, as over a network file system."""
    try:
        return os.stat(root).st_ino == mark.get("inode") and all(
            _sign(os.path.join(root, name)) == sign for name, sign in mark["names"].items()
        )
    except (OSError, KeyError):
        return False


def _sign(path: str) -> list[int]:
    status = os.lstat(path)
    return [status.st_ino, status.st_mtime_ns]
