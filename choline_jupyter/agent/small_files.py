"""The bytes of small files that came for a job: with it, or ahead of it in packs.

Made by `agent.workspace`, which takes file after file in the order in which they are told. A pack is a blob that holds several;
it is gone when its last file has been taken, so that nothing lies on the disk twice for long.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from choline_jupyter.agent.blob_folder import BlobFolder


class SmallFiles:
    """`packs` are digests and how many files are in each; without any, `data` holds all."""

    def __init__(
        self, data: memoryview, packs: Sequence[Sequence[Any]] = (), blobs: Optional[BlobFolder] = None
    ) -> None:
        self._data: Optional[memoryview] = data
        self._packs, self._blobs = iter(packs), blobs
        self._left, self._position = 0, 0

    def take(self, size: int) -> Optional[memoryview]:
        """The next file's content; None where its pack is not there any more."""
        if self._blobs and self._left == 0:
            self._open(*next(self._packs))
        self._left -= 1
        start, self._position = self._position, self._position + size
        return None if self._data is None else self._data[start : self._position]

    def _open(self, digest: str, count: int) -> None:
        self._data, self._left, self._position = None, int(count), 0
        if self._blobs:
            path = self._blobs.find(digest)
            with suppress(FileNotFoundError):
                self._data = memoryview(path.read_bytes())
                path.unlink()


def open_data(path: Path) -> memoryview:
    """A file's bytes, read as they are used."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b"")
