"""The hook for files that are not here yet: wakes the preload shim, or stands in for it where it cannot be loaded.

Called by `agent.kernel.application` in a rank that was just forked. The shim is in the process already, inert, if the
fork server was started with it; a static interpreter, one of another C library and macOS have none. There an audit hook
and patched functions of `os` do what Python code can: opens, stats and listings of Python itself, but no reader written
in C, and nothing in other programs but the paths in their arguments.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Callable, Optional

from choline_jupyter.agent.kernel.file_question import FileQuestions
from choline_jupyter.agent.shim import mark_environment, read_marks

Need = Callable[..., list[str]]


class FilesOnDemand:
    """How a rank steers what stands behind its calls: `forget` at the beginning of each job, `pause` for its own calls."""

    def __init__(self, forget: Callable[[], Any], suspend: Callable[[int], Any]) -> None:
        self._forget, self._suspend = forget, suspend

    def forget(self) -> None:
        """Ask anew for what was not there."""
        self._forget()

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Calls of this thread see what is here, and no more."""
        self._suspend(1)
        try:
            yield
        finally:
            self._suspend(0)


NO_FILES = FilesOnDemand(lambda: None, lambda is_paused: None)


def begin_files(files: Mapping[str, Any]) -> FilesOnDemand:
    """From now on files come when they are needed.

    `files`: `socket`, `roots`, `except` (paths that are never asked for; the interpreter's own are added), `preload`.
    """
    files = {**files, "except": [*files["except"], *_list_own()]}
    mark_environment(os.environ, files)
    try:
        shim = ctypes.CDLL(None)
        shim.choline_files_begin(*read_marks(os.environ))
    except (AttributeError, OSError):
        return install_hook(FileQuestions(files["socket"], list(files["roots"]), files["except"]))
    return FilesOnDemand(shim.choline_files_forget, shim.choline_files_suspend)


def install_hook(questions: FileQuestions) -> FilesOnDemand:
    """Patch this process; there is no way back, but for the end of the questions."""
    need = questions.need
    events: dict[str, Callable[..., Any]] = {
        "open": lambda path, mode, flags: need(_find_kind(flags or 0), path),
        "os.chdir": lambda path: need("F", path),
        "os.mkdir": lambda path, mode=0, fd=-1: need("F", path, _find_fd(fd)),
        "os.rename": lambda path, new, fd=-1, other=-1: _remove(need, path, fd),
        "os.remove": lambda path, fd=-1: _remove(need, path, fd),
        "os.rmdir": lambda path, fd=-1: _remove(need, path, fd),
        "os.truncate": lambda path, length: need("F", path),
        "os.utime": lambda path, *rest: need("F", path),
        "os.chmod": lambda path, mode, fd=-1: need("F", path, _find_fd(fd)),
        "sqlite3.connect": lambda path: need("F", path),
        "ctypes.dlopen": lambda path: need("F", path),
        "subprocess.Popen": lambda program, arguments, cwd, env: _need_words(need, arguments, cwd),
        "os.system": lambda command: _need_words(need, command, None),
    }

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event in events:
            events[event](*arguments)

    sys.addaudithook(hear)
    for name in ("stat", "lstat", "access", "readlink"):
        _replace(name, _wrap(need, getattr(os, name)))
    _replace("listdir", _wrap_listdir(need))
    _replace("scandir", _wrap_scandir(need))
    return FilesOnDemand(questions.forget, questions.suspend)


class MissingEntry:
    """What `os.scandir` yields for a file that has not been fetched: an `os.DirEntry` as far as anyone looks."""

    def __init__(self, folder: Any, name: str) -> None:
        is_bytes = isinstance(folder, bytes)
        self.name: Any = os.fsencode(name) if is_bytes else name
        self.path: Any = os.path.join(folder, self.name)

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return "<DirEntry %r>" % (self.name,)

    def inode(self) -> int:
        return self.stat().st_ino

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return False

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return True

    def is_symlink(self) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return os.stat(self.path, follow_symlinks=follow_symlinks)


class CompletedScan:
    """The iterator of `os.scandir`, with what is missing behind what is here."""

    def __init__(self, real: Any, missing: Iterator[MissingEntry]) -> None:
        self._real, self._missing = real, missing

    def __iter__(self) -> CompletedScan:
        return self

    def __next__(self) -> Any:
        for entry in self._real:
            return entry
        return next(self._missing)

    def __enter__(self) -> CompletedScan:  # noqa: PYI034 - `Self` is newer than 3.9
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._real.close()


def _list_own() -> list[str]:
    """Where the interpreter and its packages are."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    paths = {os.path.realpath(sysconfig.get_path(name)) for name in names}
    return sorted({*paths, *({sys.prefix} if sys.prefix != sys.base_prefix else ())})


def _find_kind(flags: int) -> str:
    """What an open makes or empties is not fetched, but the folder that it stands in is."""
    return "P" if flags & os.O_TRUNC or (flags & os.O_CREAT and flags & os.O_EXCL) else "F"


def _find_fd(fd: int) -> Optional[int]:
    return None if fd == -1 else fd


def _remove(need: Need, path: Any, fd: int) -> None:
    """What the program removes or moves away is not fetched again."""
    need("F", path, _find_fd(fd))
    need("X", path, _find_fd(fd))


def _need_words(need: Need, words: Any, cwd: Any) -> None:
    """Files that a program is given as arguments."""
    try:
        parts = shlex.split(words) if isinstance(words, str) else [os.fsdecode(os.fspath(word)) for word in words]
    except (TypeError, ValueError):
        return
    for part in parts:
        if not part.startswith("-"):
            need("F", os.path.join(os.fsdecode(cwd), part) if cwd else part)


def _wrap(need: Need, real: Any) -> Any:
    def call(path: Any, *arguments: Any, **keywords: Any) -> Any:
        need("F", path, keywords.get("dir_fd"))
        return real(path, *arguments, **keywords)

    return call


def _wrap_listdir(need: Need) -> Any:
    real = os.listdir

    def listdir(path: Any = None) -> Any:
        missing = need("D", "." if path is None else path)
        return [*real(path), *(map(os.fsencode, missing) if isinstance(path, bytes) else missing)]

    return listdir


def _wrap_scandir(need: Need) -> Any:
    real = os.scandir

    def scandir(path: Any = None) -> Any:
        missing = need("D", "." if path is None else path)
        if not missing:
            return real(path)
        folder = "." if path is None else os.fspath(path)
        return CompletedScan(real(path), iter([MissingEntry(folder, name) for name in missing]))

    return scandir


def _replace(name: str, made: Any) -> None:
    """Put a function in place of one of `os`: the import machinery has it from `posix`, and code asks what it can do."""
    real = getattr(os, name)
    made.__name__ = made.__qualname__ = name
    made.__doc__ = real.__doc__
    for module in (os, sys.modules["posix"]):
        setattr(module, name, made)
    for abilities in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
        if real in abilities:
            abilities.add(made)
