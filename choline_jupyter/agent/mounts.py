"""Mounts: a process' own view of the file system, in which a session's folders are where its user has them.

Called by `agent.workspace` in a rank that has just been forked (one thread). Needs root or unprivileged user namespaces
(user_namespaces(7)); nothing of it is seen by other processes, and it is gone with the process. Run as a program it exits
with 0 where this machine allows it.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

_NEW_NAMESPACE, _NEW_USER = 0x00020000, 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER
_BIND, _RECURSIVE, _PRIVATE, _NO_SUID, _NO_DEVICES = 0x1000, 0x4000, 1 << 18, 2, 4


def unshare() -> None:
    """Give this process a mount namespace of its own; raises OSError where the machine does not allow it."""
    user, group = os.getuid(), os.getgid()
    try:
        _unshare(_NEW_NAMESPACE)
    except PermissionError:
        _unshare(_NEW_NAMESPACE | _NEW_USER)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", "%d %d 1" % (user, user)),
            ("gid_map", "%d %d 1" % (group, group)),
        ):
            with open("/proc/self/" + name, "w") as file:
                file.write(text)
    _mount("none", "/", "", _RECURSIVE | _PRIVATE)


def bind(source: str, target: str) -> None:
    """Show the folder or file `source` at `target` too, which exists."""
    _mount(source, target, "", _BIND | _RECURSIVE)


def hide(folders: Sequence[str]) -> None:
    """Make each folder look empty."""
    for folder in _outermost(folders):
        mode = stat.S_IMODE(os.stat(folder).st_mode)
        _mount("tmpfs", folder, "tmpfs", _NO_SUID | _NO_DEVICES, "mode=%o" % mode)


@contextmanager
def keep(paths: Iterable[str]) -> Iterator[None]:
    """Have what is at these paths still there behind the block, whatever was mounted over it meanwhile."""
    handles = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in _outermost(paths) if os.path.lexists(path)}
    try:
        yield
        for path, handle in handles.items():
            if not _is_at(path, handle):
                _make_point(path, os.fstat(handle).st_mode)
                bind("/proc/self/fd/%d" % handle, path)
    finally:
        for handle in handles.values():
            os.close(handle)


def make_point(path: str, scratch: str) -> None:
    """Have a folder at `path` to mount on, without a trace outside this namespace; `scratch` is an empty folder.

    The deepest folder that exists is covered by an empty one in which all that it holds is shown again.
    """
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    if above == "/":
        _rebuild_root(scratch)
    else:
        _cover(above, scratch)
    os.makedirs(path)


def _cover(folder: str, scratch: str) -> None:
    _mount("tmpfs", scratch, "tmpfs", _NO_SUID | _NO_DEVICES, "mode=%o" % stat.S_IMODE(os.stat(folder).st_mode))
    _show_all(folder, scratch)
    bind(scratch, folder)


def _rebuild_root(scratch: str) -> None:
    """The root itself cannot be covered: it is changed for one that shows the same."""
    _mount("tmpfs", scratch, "tmpfs", _NO_SUID, "mode=755")
    _show_all("/", scratch)
    os.chroot(scratch)
    os.chdir("/")


def _show_all(folder: str, target: str) -> None:
    for entry in os.scandir(folder):
        point = os.path.join(target, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), point)
            continue
        with suppress(OSError):  # what this user may not even look at is not shown
            _make_point(point, entry.stat().st_mode)
            bind(entry.path, point)


def _make_point(path: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        os.makedirs(path, exist_ok=True)
    elif not os.path.lexists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))


def _is_at(path: str, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except OSError:
        return False


def _outermost(paths: Iterable[str]) -> list[str]:
    """Without those that lie below another."""
    found: list[str] = []
    for path in sorted(set(map(os.path.abspath, paths)), key=len):
        if not any(_is_below(path, above) for above in found):
            found.append(path)
    return found


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _unshare(flags: int) -> None:
    if _libc().unshare(flags) != 0:
        _fail("unshare")


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    texts = [os.fsencode(text) for text in (source, target, kind)]
    if _libc().mount(*texts, ctypes.c_ulong(flags), os.fsencode(options) or None) != 0:
        _fail(target)


def _fail(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), what)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    try:
        unshare()
    except OSError as error:
        sys.exit(str(error))
