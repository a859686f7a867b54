"""The selection: of the files that a cell needs, which go along, which stay here, and which the user is asked about.

Called by `magic.luggage` and `cli`; `%choline files` shows it. Promise: what the code or the user names is not dropped because
git ignores it; nothing that looks like a secret, and nothing of the system's, goes unless it is named. However many files a
folder has, no more than a fixed number is looked at.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec

from choline_jupyter.capture.foresight import Need
from choline_jupyter.capture.secrets import find_secret, lies_with_keys

LARGE = 200 << 20  # bytes; a larger file is asked about
_MOST = 100_000  # files of one selection, and entries of a folder that are looked at
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

    `asks`: the user has not decided yet; `is_excluded`: the user has decided that it stays; `way`: what to do if it is to go.
    """

    path: str
    why: str
    status: os.stat_result
    held: str = ""
    asks: bool = False
    is_excluded: bool = False
    way: str = "--with sends it"


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

    def excludes(self, path: str) -> bool:
        """Whether the user has excluded a folder, with all that is in it; its path ends in a slash."""
        below = path.removeprefix(f"{self.root}/").lstrip("/")
        return self.ignored is not None and self.ignored.match_file(below)

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
        for choice in _choose(need, rules, found):
            found[choice.path] = choice
    return [found[path] for path in sorted(found)]


def _choose(need: Need, rules: Rules, found: Mapping[str, Choice]) -> list[Choice]:
    """What one need adds. Of more files than can be looked at none goes: a part would be worse than nothing."""
    chosen, room = [], _MOST - len(found)
    for path in islice(_expand(need, rules), _MOST + 1):
        choice = None if path in found else _judge(path, need, rules)
        chosen += [choice] if choice else []
        room -= 1
        if room < 0:
            return [_refuse_many(need)]
    return chosen


def _refuse_many(need: Need) -> Choice:
    status = need.path.stat()
    way = "what is opened there comes when it is; --with names a part, .cholineignore what is not needed"
    return Choice(os.fspath(need.path), need.why, status, f"there are more than {_MOST:,} files", way=way)


def _expand(need: Need, rules: Rules) -> Iterator[str]:
    """A folder's files; of one that the project is only a part of, nothing: that it is listed is not to want it all."""
    path = os.fspath(need.path)
    if need.kind != "folder":
        return iter((path,))
    is_around = _is_below(os.fspath(rules.root), path) and path != os.fspath(rules.root)
    is_home = _is_below(os.fspath(Path.home()), path)
    return iter(()) if (is_around or is_home) and need.why != _BY_HAND else _walk(path, rules)


def _walk(top: str, rules: Rules) -> Iterator[str]:
    """The files below a folder; not through links, and not what tools make for themselves.

    A folder that is excluded, or that may not be read, stands for all that is in it.
    """
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(islice(entries, _MOST + 1), key=lambda entry: entry.name)
        except OSError:
            yield folder
            continue
        for entry in listed:
            if not entry.is_dir(follow_symlinks=False):
                yield from () if entry.name.endswith(".pyc") else (entry.path,)
            elif rules.excludes(f"{entry.path}/"):
                yield entry.path
            elif entry.name not in _SKIPPED and not os.path.exists(f"{entry.path}/pyvenv.cfg"):  # noqa: PTH110
                folders.append(entry.path)


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
    is_folder = need.kind == "folder" and not is_link and stat.S_ISDIR(status.st_mode)
    if folder.is_system or not (stat.S_ISREG(status.st_mode) or is_folder):
        return None
    choice = Choice(path, need.why, status)
    if rules.ignored and rules.ignored.match_file(folder.below + name + "/" * is_folder):
        return choice._replace(held="it is excluded by .cholineignore or --without", is_excluded=True)
    if is_folder:
        return choice._replace(held="you may not read it", way="make it readable, or name it in .cholineignore")
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
