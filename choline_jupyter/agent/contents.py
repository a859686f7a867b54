"""Where content lies on this machine, by its SHA-256: in a workspace, in the cache of what ended sessions had, or on its way.

Asked by the supervisor before anything large is sent here, used by whoever puts a large file in place. A workspace's file is
the only copy of its content: the index knows its path, and that it is still that content is seen by its signature each time.
What has come or is wanted is a blob; nothing evicts that. When a workspace goes, its files go into the cache, from which the
least recently used are deleted. Nothing is ever a hard link to something writable.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Optional

from choline_jupyter.store.digester import Digester
from choline_jupyter.store.scan import sign

_CLONE = 0x40049409  # FICLONE: share another file's blocks until one of the two is written
_READ = 1 << 20
_SHARE = 10  # one part in so many of the disk is the cache's, if nobody says otherwise
_RESERVE = 64 << 20  # bytes of the disk that are left to journals


class Contents:
    """The contents of one user on this machine; `home` is the agent's folder. Raises OSError. Blocks; for an executor."""

    def __init__(self, home: Path) -> None:
        self._index, self._cache, self._blobs = home / "contents", home / "cache", home / "blobs"

    def note(self, digest: str, path: str) -> None:
        """A file has this content now."""
        self._index.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._index / digest, "a") as file:
            file.write(json.dumps([path, *sign(os.stat(path))]) + "\n")

    @contextmanager
    def hold(self, digest: str) -> Iterator[None]:
        """While it is put in place and noted: others who want the same wait, as it may be nowhere in between."""
        folder = self._index.parent / "placing"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(folder / digest[:2], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def is_at(self, digest: str, path: str) -> bool:
        """Whether a file was put there and still is that content."""
        return path in self._list_places(digest)

    def find_digest(self, path: str) -> str:
        """The content of a file that was put there and has not changed since; empty for any other."""
        return next((entry.name for entry in _scan(self._index) if self.is_at(entry.name, path)), "")

    def open(self, digest: str) -> int:
        """A descriptor to read this content, the caller's to close; FileNotFoundError where there is none."""
        for path in (str(self._blobs / digest), *self._list_places(digest)):
            with suppress(OSError):
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        raise FileNotFoundError(errno.ENOENT, "it is not on this machine", digest)

    def has(self, digest: str) -> bool:
        """Whether it can be opened; a use of it."""
        try:
            os.close(self.open(digest))
        except FileNotFoundError:
            return False
        with suppress(FileNotFoundError):
            os.utime(self._index / digest)
        return True

    def reserve(self, digest: str) -> bool:
        """Take it out of the cache, if it is there: it is wanted."""
        cached = self._cache / digest
        if str(cached) not in self._list_places(digest):
            return False
        self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.replace(cached, self._blobs / digest)
        return True

    def place(self, digest: str, target: str) -> None:
        """Make `target`, which does not exist, of it. FileNotFoundError, or EIO where it is not what it was."""
        blob = self._blobs / digest
        try:
            source = os.open(blob, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            self._copy(digest, self.open(digest), target)
            return
        try:
            if _clone(source, target):
                self._retire(digest, blob)
            else:
                os.replace(blob, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(source, target)
            blob.unlink()
        finally:
            os.close(source)

    def keep(self, folder: str) -> None:
        """A folder is about to go: what it has of the index goes into the cache."""
        if self.find_limit() == 0:
            return
        for entry in _scan(self._index):
            for place in self._list_places(entry.name):
                if place.startswith(folder.rstrip("/") + "/") and os.stat(place).st_nlink == 1:
                    self._retire(entry.name, Path(place))
                    break
        self.evict(self.find_limit())

    def evict(self, limit: int) -> None:
        """Delete of the cache what was used least recently, until it has no more bytes than `limit`."""
        cached = list(_scan(self._cache))
        excess = sum(entry.stat().st_size for entry in cached) - limit
        for entry in sorted(cached, key=lambda entry: self._find_use(entry.name)):
            if excess <= 0:
                break
            excess -= entry.stat().st_size
            os.unlink(entry.path)

    def make_room(self, count: int) -> None:
        """Have so many bytes free, at the cost of the cache; raises ENOSPC with a sentence."""
        missing = count + _RESERVE - _count_free(self._index.parent)
        if count > 0 and missing > 0:
            held = sum(entry.stat().st_size for entry in _scan(self._cache))
            self.evict(max(0, held - missing))
            free = _count_free(self._index.parent)
            if count + _RESERVE > free:
                what = "%.2f GB are to come and its disk has %.2f GB free at %s" % (
                    count / 1e9,
                    free / 1e9,
                    self._index.parent,
                )
                raise OSError(errno.ENOSPC, what)

    def find_limit(self) -> int:
        """How many bytes the cache may have."""
        try:
            return int((self._index.parent / "cache.limit").read_text())
        except (OSError, ValueError):
            status = os.statvfs(self._index.parent)
            return status.f_blocks * status.f_frsize // _SHARE

    def note_wish(self, wish: Mapping[str, Any]) -> None:
        """What a session's client says of the cache's limit holds from now on."""
        if isinstance(wish.get("cache"), int):
            (self._index.parent / "cache.limit").write_text(str(wish["cache"]))

    def sweep(self) -> None:
        """Keep the cache in its limit and forget places where nothing is any more."""
        for entry in _scan(self._index):
            if not self._list_places(entry.name):
                os.unlink(entry.path)
        for entry in _scan(self._cache):
            if entry.path not in self._list_places(entry.name):
                os.unlink(entry.path)
        self.evict(self.find_limit())

    def _retire(self, digest: str, path: Path) -> None:
        """Into the cache."""
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        cached = self._cache / digest
        os.replace(path, cached)
        os.chmod(cached, 0o600)
        self.note(digest, str(cached))

    def _list_places(self, digest: str) -> list[str]:
        """The files that have it, as far as their signatures tell; the latest first."""
        places: dict[str, Any] = {}
        with suppress(FileNotFoundError):
            for line in (self._index / digest).read_text().splitlines():
                with suppress(ValueError):
                    path, *signature = json.loads(line)
                    places[path] = signature
        return [path for path, signature in reversed(list(places.items())) if _find_signature(path) == signature]

    def _find_use(self, digest: str) -> int:
        try:
            return (self._index / digest).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _copy(self, digest: str, source: int, target: str) -> None:
        """A second session wants it, and may have no part in the first one's file; closes `source`."""
        try:
            if (_hash(target) if _clone(source, target) else _copy(source, target)) != digest:
                raise OSError(errno.EIO, "it has changed on this machine meanwhile", target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(target)
            raise
        finally:
            os.close(source)


def _clone(source: int, target: str) -> bool:
    """Make `target` share a file's blocks, on a file system that can do that."""
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.ioctl(fd, _CLONE, source)
    except OSError:
        os.unlink(target)
        return False
    finally:
        os.close(fd)
    return True


def _copy(source: int, target: str) -> str:
    """Copy a file; gives the digest of what was copied."""
    digest = Digester()
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb", buffering=0) as file:
            for piece in iter(lambda: os.read(source, _READ), b""):
                digest.update(piece)
                file.write(piece)
    finally:
        found = digest.finish()
    return found


def _hash(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        for piece in iter(lambda: file.read(_READ), b""):
            digest.update(piece)
    return digest.hexdigest()


def _find_signature(path: str) -> Optional[list[int]]:
    with suppress(OSError):
        status = os.lstat(path)
        return list(sign(status)) if stat.S_ISREG(status.st_mode) else None
    return None


def _count_free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from list(entries)
