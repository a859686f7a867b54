"""What a session may ask for while it runs: the files below some folders of this machine, and nothing else.

Made by `session.file_service` from the folders that the session was opened with. The machine that asks is a stranger's:
its paths are checked as the user meant them and again behind all links, and what looks like a secret does not exist for
it. Everything here reads the disk; it is called in an executor.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

_MOST_LINKS = 40  # as the operating system allows on one path
_MOST_NAMES = 100_000

FindSecret = Callable[[str, os.stat_result], str]


class Offered(NamedTuple):
    """One thing to put there under `path`: `kind` is d(irectory), l(ink, to `target`) or f(ile, read from `source`)."""

    path: str
    kind: str
    mode: int = 0
    size: int = 0
    mtime: int = 0
    target: str = ""
    source: str = ""


class Listing(NamedTuple):
    """A directory: its folders and links, and the names of its files."""

    offered: list[Offered]
    names: list[str]


class TooMany(Exception):
    """A directory has more names than are passed on."""


class FileGrant:
    """`roots` are absolute paths; `find_secret(path, status)` says why a file looks like a secret, empty if it does not."""

    def __init__(self, roots: Sequence[str], find_secret: FindSecret) -> None:
        self._roots = [os.path.normpath(root) for root in roots]
        self._real = [os.path.realpath(root) for root in roots]
        self._find_secret = find_secret

    def find(self, asked: object) -> list[Offered]:
        """What has to be there for a path to mean there what it means here; empty for what is not here, or not granted."""
        offered: list[Offered] = []
        path = self._check(asked)
        for _ in range(_MOST_LINKS):
            link = self._find_link(path)
            if not link:
                return [*offered, *self._offer(path)] if path else offered
            offered.append(Offered(link, "l", target=os.readlink(link)))
            path = self._check(os.path.normpath(self._follow(link) + path[len(link) :]))
        return offered

    def list_folder(self, asked: object) -> Listing | None:
        """A directory's content; None for what is none, or not granted. Raises TooMany, OSError."""
        offered = self.find(asked)
        if not offered or offered[-1].kind != "d":
            return None
        folder, names = offered[-1].path, []
        for entry in self._scan(folder):
            path = os.path.join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False):
                offered += self._offer(path)
            elif entry.is_symlink() and self._follow(path):
                offered.append(Offered(path, "l", target=os.readlink(path)))
            elif self._offer(path):
                names.append(entry.name)
        return Listing(offered, sorted(names))

    def list_files(self, folder: str) -> Iterator[Offered]:
        """The files of a directory that has been listed, in order of their names."""
        for name in sorted(entry.name for entry in self._scan(folder)):
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                yield from (one for one in self._offer(path) if one.kind == "f")

    def _check(self, asked: object) -> str:
        """The path if it is granted, else nothing."""
        if not isinstance(asked, str) or "\0" in asked or not asked.startswith("/") or os.path.normpath(asked) != asked:
            return ""
        return asked if self._is_inside(asked) else ""

    def _is_inside(self, path: str) -> bool:
        """Whether a path is below a root as it is written, and is so behind its links too."""
        return _is_below(path, self._roots) and _is_below(os.path.realpath(path), self._real)

    def _find_link(self, path: str) -> str:
        """The first link on the way from a root to a path that the other side can follow; empty if there is none."""
        for way in _list_ways(path):
            if os.path.islink(way) and _is_below(os.path.dirname(way), self._roots) and self._follow(way):
                return way
        return ""

    def _follow(self, link: str) -> str:
        """Where a link leads by its own words, if that is granted; else it is a file or folder like any other."""
        target = os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
        return target if self._is_inside(target) else ""

    def _offer(self, path: str) -> list[Offered]:
        """A file or folder, behind links that the other side cannot follow."""
        try:
            real = os.path.realpath(path)
            status = os.stat(real)
        except OSError:
            return []
        if not _is_below(real, self._real):
            return []
        mode = stat.S_IMODE(status.st_mode) & 0o777
        if stat.S_ISDIR(status.st_mode):
            return [Offered(path, "d", mode)]
        if not stat.S_ISREG(status.st_mode):  # to look into a pipe would wait for ever
            return []
        if self._find_secret(path, status) or self._find_secret(real, status):
            return []
        return [Offered(path, "f", mode, status.st_size, status.st_mtime_ns, source=real)]

    def _scan(self, folder: str) -> list[os.DirEntry[str]]:
        with os.scandir(folder) as entries:
            found = [entry for entry, _ in zip(entries, range(_MOST_NAMES + 1), strict=False)]
        if len(found) > _MOST_NAMES:
            raise TooMany(folder)
        return found


def _list_ways(path: str) -> list[str]:
    """All folders above a path, the outermost first, and itself."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(2, len(parts) + 1)]


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)
