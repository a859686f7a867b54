"""Large records as files named by their SHA-256: `blobs/ab/cdef...`.

Used by `ledger.event_batch` to write, `ledger.event_reader` to read and `ledger.eviction` to clean up. Promises: a file
under its final name is whole and on the disk; what is read has been verified.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from choline_jupyter.wire.record import Buffer

_ABANDONED = 3600.0  # seconds after which a half-written file has lost its writer


class BlobFolder:
    """The blobs in `directory`, which is made on the first write. Any thread or process may use it at once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(self, data: Buffer) -> str:
        """Store the bytes and return their name; raises OSError."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.has(digest):
            self._write(self._locate(digest), data)
        return digest

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return self._locate(digest).exists()

    def load(self, digest: str) -> bytes:
        """The bytes; raises OSError when they cannot be read, ValueError when they are not those that were stored."""
        data = self._locate(digest).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError("the file's contents have changed")
        return data

    def sweep(self, keep: Collection[str]) -> None:
        """Delete all blobs but those in `keep`, and files whose writer died. Nobody may add a blob meanwhile."""
        for path in self._list_files():
            if path.name.startswith("."):
                if _measure_age(path) > _ABANDONED:
                    path.unlink(missing_ok=True)
            elif path.parent.name + path.name not in keep:
                path.unlink(missing_ok=True)

    def _list_files(self) -> Iterator[Path]:
        return self._directory.glob("??/*")

    def _locate(self, digest: str) -> Path:
        return self._directory / digest[:2] / digest[2:]

    def _write(self, path: Path, data: Buffer) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fd, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        temporary = Path(name)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(fd)
            temporary.rename(path)
        except BaseException:
            temporary.unlink()
            raise
        _sync_directory(path.parent)


def _measure_age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
