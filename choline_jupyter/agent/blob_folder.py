"""Blobs: what clients have sent or are to fetch in bulk, files named by the SHA-256 of their content.

Called by the supervisor for its clients, in an executor's threads, and by a rank that has something for a client. A blob
is whole or not there: what has come of one is in a `.part` file, so that a transfer goes on where it was cut, and only
bytes with the right digest get the name. Whoever has used a blob removes it; what is forgotten goes with time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from choline_jupyter.wire.record import Buffer

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_READ = 1 << 20
_MOST = 16  # blobs that are hashed as they come


class BlobFolder:
    """The blobs of one user on this machine. Raises ValueError for what is not a digest, OSError for the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._turn = threading.Lock()  # two clients may send the same blob
        self._hashes: dict[str, tuple[int, Any]] = {}  # of what has come in order: how far, and its hash until there

    def find(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        if not _DIGEST.match(digest):
            raise ValueError("%r is not a digest" % digest)
        return self.folder / digest

    def find_missing(self, digests: list[str]) -> dict[str, int]:
        """Those that are not whole here, and from which offset on each is wanted."""
        return {digest: self._count(digest) for digest in digests if not self.find(digest).exists()}

    def put(self, digest: str, offset: int, size: int, data: bytes) -> bool:
        """Keep a piece; True when the blob is whole with it. A blob whose bytes are wrong is thrown away: ValueError."""
        with self._turn:
            return self.find(digest).exists() or self._put(digest, offset, size, data)

    def read(self, digest: str, offset: int, count: int) -> tuple[bytes, int]:
        """A piece of a blob, and how large the whole is; FileNotFoundError where there is none."""
        fd = os.open(self.find(digest), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            return os.pread(fd, count, offset), os.fstat(fd).st_size
        finally:
            os.close(fd)

    def add(self, pieces: Iterable[Buffer]) -> tuple[str, int]:
        """Make a blob of bytes of this machine; gives its digest and size. Nothing is left of one that has no room."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.folder / ("%s.new" % uuid.uuid4().hex)
        digest = hashlib.sha256()
        try:
            with open(temporary, "wb") as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
                size = file.tell()
            os.replace(temporary, self.find(digest.hexdigest()))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return digest.hexdigest(), size

    def take(self, file: Path) -> str:
        """Make a blob of a file of this folder; gives its digest."""
        digest = _hash(file)
        os.replace(file, self.find(digest))
        return digest

    def remove(self, digest: str) -> None:
        self.find(digest).unlink(missing_ok=True)

    def sweep(self, seconds: float) -> None:
        """Delete what nobody has written to or used for so long: its session or client is gone. For an executor."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > seconds:
                    path.unlink()

    def _put(self, digest: str, offset: int, size: int, data: bytes) -> bool:
        path = self.find(digest)
        part = path.with_suffix(".part")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write_at(part, offset, data)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                part.unlink(missing_ok=True)  # others need the room
            raise
        found = self._hash_along(digest, offset, data)
        if offset + len(data) < size:
            return False
        self._hashes.pop(digest, None)
        if (found.hexdigest() if found else _hash(part)) != digest:
            part.unlink()
            raise ValueError("a blob came damaged")
        os.replace(part, path)
        return True

    def _hash_along(self, digest: str, offset: int, data: bytes) -> Any:
        """The hash of all up to the end of this piece; None when pieces did not come in order: then the file is read."""
        place, found = self._hashes.pop(digest, (0, None))
        if offset == 0:
            found = hashlib.sha256()
        elif place != offset:
            return None
        if found:
            found.update(data)
            while len(self._hashes) >= _MOST:
                self._hashes.pop(next(iter(self._hashes)))  # of a transfer that was given up
            self._hashes[digest] = (offset + len(data), found)
        return found

    def _count(self, digest: str) -> int:
        try:
            return self.find(digest).with_suffix(".part").stat().st_size
        except FileNotFoundError:
            return 0


def _write_at(path: Path, offset: int, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while data:
            count = os.pwrite(fd, data, offset)
            data, offset = data[count:], offset + count
    finally:
        os.close(fd)


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(_READ), b""):
            digest.update(piece)
    return digest.hexdigest()
