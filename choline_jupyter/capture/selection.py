"""The selection: of the files that a cell needs, which go along, which stay here, and which the user is asked about.

Called by `magic.luggage` and `cli`; `%choline files` shows it. Promise: what the code or the user names is not dropped because
git ignores it; nothing that looks like a secret, and nothing of the system's, goes unless it is named.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec

from choline_jupyter.capture.foresight import Need
from choline_jupyter.capture.secrets import find_secret, lies_with_keys

LARGE = 200 << 20  # bytes; a larger file is asked about
_MOST = 100_000  # files of one selection
_SYSTEM = (
    "/proc",
    "/sys",
    "/dev",
    "/usr",
    "/etc",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/boot",
    "/run",
    "/var/lib",
    "/var/run",
)
_SKIPPED = {".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints", "node_modules", ".mypy_cache", ".pytest_cache"}
_CHOLINE = os.fspath(Path(__file__).parents[1])  # its agent is over there
_RULES = ".cholineignore"
_BY_HAND = "--with"


class Choice(NamedTuple):
    """One file, by its absolute path, and why it is needed; `held` says why it stays here, empty when it goes.

    `asks`: the user has not decided yet; `is_excluded`: the user has decided that it stays.
    """

    path: str
    why: str
    status: os.stat_result
    held: str = ""
    asks: bool = False
    is_excluded: bool = False


@dataclass(frozen=True)
class Rules:
    """What is allowed to go. `root` is the project's folder; `allowed` are paths that the user has agreed to before."""

    root: Path
    named: tuple[Path, ...] = ()
    excluded: tuple[str, ...] = ()
    allowed: frozenset[str] = frozenset()
    limit: int = LARGE
    _folders: dict[str, _Folder] = field(default_factory=dict)

    @cached_property
    def ignored(self) -> GitIgnoreSpec | None:
        """`.cholineignore` of the project and `--without`, in git's own syntax; None where nothing is."""
        lines: list[str] = []
        try:
            lines = (self.root / _RULES).read_text(errors="replace").splitlines()
        except OSError:
            pass
        return GitIgnoreSpec.from_lines([*lines, *self.excluded]) if lines or self.excluded else None

    @cached_property
    def real_root(self) -> str:
        """Where the project is, links resolved."""
        return os.path.realpath(self.root)

    def find_folder(self, path: str) -> _Folder:
        """What is true of all files of a folder."""
        if path not in self._folders:
            self._folders[path] = _judge_folder(path, self)
        return self._folders[path]


class _Folder(NamedTuple):
    is_system: bool
    is_inside: bool  # the project, links resolved or not
    has_keys: bool
    below: str  # its path in the project, with a slash behind it; empty for the project itself


def choose(needs: Iterable[Need], rules: Rules) -> list[Choice]:
    """Every file of what is needed, each once, in order of its path."""
    found: dict[str, Choice] = {}
    named = [Need(path, "folder" if path.is_dir() else "data", _BY_HAND) for path in rules.named]
    for need in (*named, *needs):
        for path in _expand(need, rules):
            if path not in found and len(found) < _MOST:
                choice = _judge(path, need, rules)
                if choice:
                    found[path] = choice
    return [found[path] for path in sorted(found)]


def _expand(need: Need, rules: Rules) -> Iterator[str]:
    """A folder's files; of one that the project is only a part of, nothing: that it is listed is not to want it all."""
    path = os.fspath(need.path)
    if need.kind != "folder":
        return iter((path,))
    is_around = _is_below(os.fspath(rules.root), path) and path != os.fspath(rules.root)
    is_home = _is_below(os.fspath(Path.home()), path)
    return iter(()) if (is_around or is_home) and need.why != _BY_HAND else _walk(path)


def _walk(folder: str) -> Iterator[str]:
    """The files below a folder; not through links, and not what tools make for themselves."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED and not os.path.exists(f"{entry.path}/pyvenv.cfg"):  # noqa: PTH110
                yield from _walk(entry.path)
        elif not entry.name.endswith(".pyc"):
            yield entry.path


def _judge(path: str, need: Need, rules: Rules) -> Choice | None:
    """None for what is no file, cannot be looked at (to open it fails here too), or belongs to the system."""
    above, _, name = path.rpartition("/")
    folder = rules.find_folder(above)
    try:
        status = os.lstat(path)
        is_link = stat.S_ISLNK(status.st_mode)
        status = os.stat(path) if is_link else status  # noqa: PTH116 - of thousands, for each cell
    except (OSError, ValueError):
        return None
    if folder.is_system or not stat.S_ISREG(status.st_mode):
        return None
    choice = Choice(path, need.why, status)
    if rules.ignored and rules.ignored.match_file(folder.below + name):
        return choice._replace(held="it is excluded by .cholineignore or --without", is_excluded=True)
    if need.why == _BY_HAND or path in rules.allowed:
        return choice
    secret = "lies where keys are kept" if folder.has_keys else find_secret(path, name, status)
    if secret:
        return choice._replace(held=f"it {secret}")
    is_near = folder.is_inside and not (is_link and not _is_below(os.path.realpath(path), rules.real_root))
    doubt = _find_doubt(status.st_size, is_near, rules)
    return choice._replace(held=doubt, asks=True) if doubt else choice


def _find_doubt(size: int, is_near: bool, rules: Rules) -> str:
    """Why the user is asked about a file; a link is as far away as what it leads to."""
    if not is_near:
        return "it lies outside of the project"
    return f"it has {size / 1e6:,.0f} MB" if size > rules.limit else ""


def _judge_folder(path: str, rules: Rules) -> _Folder:
    root = os.fspath(rules.root)
    own = (sys.prefix, sys.base_prefix, sys.exec_prefix, _CHOLINE)
    is_system = any(_is_below(path, prefix) for prefix in (*_SYSTEM, *own))
    is_inside = _is_below(path, root)
    below = path[len(root) :].strip("/") if is_inside else path.strip("/")
    is_near = is_inside and _is_below(os.path.realpath(path), rules.real_root)
    return _Folder(is_system, is_near, lies_with_keys(path), f"{below}/" if below else "")


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
