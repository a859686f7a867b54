"""The tables of chunks of files that were read, by their SHA-256: what an old version was made of when a new one is to go.

Kept by `store.scan` here, asked by `session.delta`. A folder of small files, the least recently used of which go; whatever is
missing or damaged only means that a file is sent whole.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Optional

from choline_jupyter.store.chunks import Table, decode_table

_LIMIT = 200 << 20  # bytes; a table has at most 1.5 MB
_PARTS = 10


class ChunkTables:
    """`folder` is made when there is something to keep."""

    def __init__(self, folder: Path, limit: int = _LIMIT) -> None:
        self._folder, self._limit = folder, limit

    def find(self, digest: str) -> Optional[Table]:
        """The chunks of a file of this digest; None where they are not known."""
        path = self._folder / digest
        try:
            table = decode_table(path.read_bytes())
            os.utime(path)
        except (OSError, ValueError):
            return None
        return table

    def keep(self, digest: str, table: Table) -> None:
        """A full disk is no reason to fail."""
        temporary = self._folder / ("%s.%d" % (digest, os.getpid()))
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(table.encode())
            os.replace(temporary, self._folder / digest)
            self._evict()
        except OSError:
            with suppress(OSError):
                temporary.unlink()

    def _evict(self) -> None:
        """Looks at all of them, which are a few hundred."""
        found = sorted(
            (entry.stat().st_mtime_ns, entry.stat().st_size, entry.path) for entry in os.scandir(self._folder)
        )
        excess = sum(size for _, size, _ in found) - self._limit
        for _, size, path in found[:-1] if excess > 0 else ():
            if excess <= -self._limit // _PARTS:
                break
            os.unlink(path)
            excess -= size
