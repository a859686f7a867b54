"""Deltas to be sent: what of a changed file the machine does not have, if its chunks are known from when the old version went.

Made by `session.cargo` for one shipment, used by `session.bulk`; `write` reads the disk and is called in an executor.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

from choline_jupyter.store.chunk_tables import ChunkTables
from choline_jupyter.store.delta import NEW, Range, compare, measure, write_head

_READ = 1 << 20
_WORTH = 0.7  # of the file: with more than that new, it is sent whole


class Delta(NamedTuple):
    """A file in the outbox and its own digest."""

    path: Path
    digest: str


class Deltas:
    """`bases` says, by digest, what the machine has had before under the same path; `folder` is where deltas are written."""

    def __init__(self, tables: ChunkTables | None, bases: Mapping[str, str], folder: Path) -> None:
        self.bases = bases if tables else {}
        self._tables, self._folder = tables, folder

    def write(self, digest: str, base: str, source: Path) -> Delta | None:
        """The delta of a file here; None where there is none that is worth it, or no room for it."""
        old, new = (self._tables.find(one) if self._tables else None for one in (base, digest))
        if old is None or new is None:
            return None
        ranges = compare(old, new)
        total, fresh = measure(ranges)
        if fresh > _WORTH * total:
            return None
        path = self._folder / f"{os.getpid()}-{digest}.delta"
        try:
            with source.open("rb") as file, path.open("wb") as made:
                return Delta(path, _write(made, file, ranges))
        except OSError:
            path.unlink(missing_ok=True)
            return None


def _write(made: IO[bytes], file: IO[bytes], ranges: list[Range]) -> str:
    digest = hashlib.sha256()
    for piece in chain([write_head(ranges)], _read_fresh(file, ranges)):
        digest.update(piece)
        made.write(piece)
    return digest.hexdigest()


def _read_fresh(file: IO[bytes], ranges: list[Range]) -> Iterator[bytes]:
    """The new bytes; fewer if the file has become shorter, which the other side notices."""
    position = 0
    for offset, size in ranges:
        if offset == NEW:
            file.seek(position)
            for start in range(0, size, _READ):
                yield file.read(min(_READ, size - start))
        position += size
