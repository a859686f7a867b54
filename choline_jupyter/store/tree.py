"""A folder that files are put into, and nothing outside it.

Used by `agent.workspace` for what goes there and by `session.homecoming` for what comes back. Every part of a path is
opened by itself and never through a link, so neither `..` nor a link that somebody has put there leads out. A file is
written under another name and renamed: it is the old one or the new one.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Optional, Union

from choline_jupyter.store.entry import check_path

PREFIX = ".choline-"  # of files that are being written
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Tree:
    """The folder `root`, which exists. Paths are relative to it. Raises OSError; EntryError for a path that leads out.

    `keeps_open`: the folder that was used last stays open until `close`; for thousands of files, folder by folder.
    """

    def __init__(self, root: str, keeps_open: bool = False) -> None:
        self.root, self._keeps_open = root, keeps_open
        self._last: tuple[str, int] = ("", -1)
        self._is_new = False  # the folder that was used last was made for it
        self._temporary = PREFIX + secrets.token_hex(8)

    def close(self) -> None:
        """Let go of what is open."""
        (_, fd), self._last = self._last, ("", -1)
        if fd >= 0:
            os.close(fd)

    def put_file(
        self, path: str, pieces: Iterable[Union[bytes, memoryview]], mode: int, mtime_ns: Optional[int] = None
    ) -> os.stat_result:
        """Write a file, in place of whatever file or link has its name; gives its status."""
        with self._open_parent(path, make=True) as (parent, name):
            try:
                _write(os.open(self._temporary, _NEW, 0o600, dir_fd=parent), pieces, mode, mtime_ns)
                os.replace(self._temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
                return os.stat(name, dir_fd=parent, follow_symlinks=False)
            except BaseException:
                with suppress(OSError):
                    os.unlink(self._temporary, dir_fd=parent)
                raise

    def put_made(self, path: str, make: Callable[[str], None], mode: int, mtime_ns: int) -> None:
        """As `put_file`, of a file that `make` puts at the path that it is given."""
        with self._open_parent(path, make=True) as (parent, name):
            try:
                make("/proc/self/fd/%d/%s" % (parent, self._temporary))
                os.chmod(self._temporary, mode, dir_fd=parent)
                os.utime(self._temporary, ns=(mtime_ns, mtime_ns), dir_fd=parent, follow_symlinks=False)
                os.replace(self._temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with suppress(OSError):
                    os.unlink(self._temporary, dir_fd=parent)
                raise

    def put_folder(self, path: str, mode: int) -> None:
        """Make a folder, or give the one that is there its mode."""
        with self._open_parent(path, make=True) as (parent, name):
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=parent)
            fd = os.open(name, _FOLDER, dir_fd=parent)
            try:
                os.fchmod(fd, mode | stat.S_IRWXU)  # what is to be in it must be writable
            finally:
                os.close(fd)

    def put_link(self, path: str, target: str) -> None:
        """Make a link that says `target`."""
        with self._open_parent(path, make=True) as (parent, name):
            os.symlink(target, self._temporary, dir_fd=parent)
            os.replace(self._temporary, name, src_dir_fd=parent, dst_dir_fd=parent)

    def remove(self, path: str) -> None:
        """Remove a file or link, and the folders that are empty without it."""
        with suppress(FileNotFoundError, NotADirectoryError):
            with self._open_parent(path, make=False) as (parent, name):
                os.unlink(name, dir_fd=parent)
            above = path.rpartition("/")[0]
            while above:
                self._remove_folder(above)
                above = above.rpartition("/")[0]

    def is_new(self, path: str) -> bool:
        """Whether nothing but what was put here can be at a path, because its folder is the last one used, and new."""
        return self._is_new and self._last[1] >= 0 and path.rpartition("/")[0] == self._last[0]

    def find(self, path: str) -> Optional[os.stat_result]:
        """What is at a path, a link as itself; None where there is nothing."""
        try:
            with self._open_parent(path, make=False) as (parent, name):
                return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def open(self, path: str) -> int:
        """A descriptor to read the regular file at a path, the caller's to close."""
        with self._open_parent(path, make=False) as (parent, name):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO does not hold us up
            fd = os.open(name, flags, dir_fd=parent)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError("%s is no regular file" % path)
        return fd

    def _remove_folder(self, path: str) -> None:
        with suppress(OSError), self._open_parent(path, make=False) as (parent, name):
            os.rmdir(name, dir_fd=parent)

    @contextmanager
    def _open_parent(self, path: str, make: bool) -> Iterator[tuple[int, str]]:
        """The folder that a path is in, as a descriptor, and the path's last part."""
        above, _, name = check_path(path).rpartition("/")
        if self._last[1] < 0 or self._last[0] != above:
            self.close()
            self._is_new = False
            self._last = (above, self._open_folder(above, make))
        try:
            yield self._last[1], name
        finally:
            if not self._keeps_open:
                self.close()

    def _open_folder(self, path: str, make: bool) -> int:
        fd = os.open(self.root, _FOLDER & ~os.O_NOFOLLOW)  # the root itself is the caller's word
        for part in path.split("/") if path else ():
            try:
                fd, above = self._enter(fd, part, make), fd
            except OSError:
                os.close(fd)
                raise
            os.close(above)
        return fd

    def _enter(self, fd: int, part: str, make: bool) -> int:
        try:
            return os.open(part, _FOLDER, dir_fd=fd)
        except FileNotFoundError:
            if not make:
                raise
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=fd)
            self._is_new = True
        return os.open(part, _FOLDER, dir_fd=fd)


def _write(fd: int, pieces: Iterable[Union[bytes, memoryview]], mode: int, mtime_ns: Optional[int]) -> None:
    try:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(fd, view) :]
        os.fchmod(fd, mode)
        if mtime_ns is not None:
            os.utime(fd, ns=(mtime_ns, mtime_ns))
    finally:
        os.close(fd)
