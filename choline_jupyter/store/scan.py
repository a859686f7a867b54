"""The scan: files of this machine as entries, with a memory of what has been read, so that only changed files are read.

Used by `session.file_sync` here and by `agent.workspace` over there. A file counts as unchanged while its size, times and
inode are the same and its last change lies far enough before it was read: the clock of a file system is coarse.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Optional

from choline_jupyter.store.chunk_tables import ChunkTables
from choline_jupyter.store.chunks import CHUNKED, Cutter, Cutting, choose_cutting, list_samples
from choline_jupyter.store.digester import Digester
from choline_jupyter.store.entry import SMALL

_COARSE = 2_000_000_000  # ns; the coarsest clock of a file system in use (FAT, some NFS servers)
_TRIES = 3
_READ = 1 << 20
_MOST = 500_000  # files that are remembered


class Signature(NamedTuple):
    """What of a file's status changes when its content does; times in ns."""

    size: int
    mtime: int
    inode: int
    ctime: int


class Changing(OSError):
    """A file changed each time it was read."""


class Scan:
    """Knows the digest of each file that it has read; `memory` is a file that keeps this for the next process.

    With `tables` the chunks of large files are kept, too.
    """

    def __init__(self, memory: Optional[Path] = None, tables: Optional[ChunkTables] = None) -> None:
        self._memory, self.tables = memory, tables
        self._known: dict[str, tuple[Signature, int, str]] = {}
        self._is_changed = False
        self._load()

    def hash(
        self, path: str, status: Optional[os.stat_result] = None, held: Optional[dict[str, bytes]] = None
    ) -> tuple[str, os.stat_result]:
        """The SHA-256 of a regular file and the status that belongs to it; raises OSError, Changing.

        `status`: what it is now, if the caller has just looked. A small file that is read is put into `held`.
        """
        status = status or os.stat(path)
        known = self._known.get(path)
        if known and known[0] == sign(status) and max(known[0].mtime, known[0].ctime) + _COARSE < known[1]:
            return known[2], status
        for _ in range(_TRIES):
            read_at = time.time_ns()
            if held is not None and status.st_size <= SMALL:
                digest, before, after = _read_whole(path, held)
            else:
                digest, before, after = _read(path, self._find_reader(path, status))
            if sign(before) == sign(after):
                self._known[path] = (sign(after), read_at, digest)
                self._is_changed = True
                return digest, after
        raise Changing(0, "it changes while it is read", path)

    def save(self) -> None:
        """Keep what is known for the next process; a disk that is full is no reason to fail."""
        if not self._is_changed or self._memory is None:
            return
        self._is_changed = False
        kept = list(self._known.items())[-_MOST:]
        temporary = self._memory.with_name("%s.%d" % (self._memory.name, os.getpid()))
        with suppress(OSError):
            temporary.write_text(json.dumps([[path, *one[0], one[1], one[2]] for path, one in kept]))
            os.replace(temporary, self._memory)

    def _find_reader(self, path: str, status: os.stat_result) -> Optional[_Chunking]:
        if not self.tables or status.st_size < CHUNKED:
            return None
        known = self._known.get(path)
        old = self.tables.find(known[2]) if known else None
        return _Chunking(self.tables, old.cutting if old else None)

    def _load(self) -> None:
        with suppress(OSError, ValueError, TypeError):
            for path, size, mtime, inode, ctime, at, digest in json.loads(_read_text(self._memory)):
                self._known[path] = (Signature(size, mtime, inode, ctime), at, digest)


def sign(status: os.stat_result) -> Signature:
    """A status' signature."""
    return Signature(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


def _read_text(memory: Optional[Path]) -> str:
    return memory.read_text() if memory else "[]"


class _Chunking:
    """Digest and chunks at once. A new version is cut as the old one was, or nothing of it would be found again."""

    def __init__(self, tables: ChunkTables, cutting: Optional[Cutting]) -> None:
        self._tables, self._cutting = tables, cutting

    def begin(self, fd: int, size: int) -> None:
        samples = [os.pread(fd, count, offset) for offset, count in list_samples(size)] if not self._cutting else []
        self._digester, self._cutter = Digester(), Cutter(self._cutting or choose_cutting(size, samples))

    def update(self, piece: bytes) -> None:
        self._digester.update(piece)
        self._cutter.feed(piece)

    def hexdigest(self) -> str:
        digest = self._digester.finish()
        self._tables.keep(digest, self._cutter.finish())
        return digest


def _read(path: str, chunking: Optional[_Chunking] = None) -> tuple[str, os.stat_result, os.stat_result]:
    """Raises OSError for what is no regular file: to read a FIFO would wait for ever."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb", buffering=0) as file:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(0, "it is no regular file", path)
        if chunking:
            chunking.begin(fd, before.st_size)
        digest = chunking or hashlib.sha256()
        try:
            while True:
                piece = file.read(_READ)
                if not piece:
                    break
                digest.update(piece)
        finally:
            found = digest.hexdigest()  # in any case: it ends a thread
        return found, before, os.fstat(fd)


def _read_whole(path: str, held: dict[str, bytes]) -> tuple[str, os.stat_result, os.stat_result]:
    """The same of a small file, of thousands: its bytes are kept."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(0, "it is no regular file", path)
        content = os.read(fd, before.st_size + 1)  # one read of a regular file gives all, or it is changing
        held[path] = content
        return hashlib.sha256(content).hexdigest(), before, os.fstat(fd)
    finally:
        os.close(fd)
