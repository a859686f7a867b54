"""The disk as an oracle: what exists, what a pattern matches. One per call of `foresee`; nothing is opened here.

Promise: never raises, never follows a folder into its depths, and remembers what it has asked.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from functools import lru_cache
from itertools import islice

from choline_jupyter.capture.foresight.budget import Budget
from choline_jupyter.capture.foresight.value import ANY, DEEP

MOST_MATCHES = 5000
_MOST_LISTED = 3000


class Disk:
    """Answers about paths, each asked once."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._kinds: dict[str, str] = {}
        self._stems: dict[str, frozenset[str] | None] = {}
        self._listed: dict[str, list[str]] = {}

    def find_kind(self, path: str) -> str:
        """`file`, `folder`, or empty for what is neither."""
        if path not in self._kinds:
            self._budget.spend(10)
            self._kinds[path] = _look_at(path)
        return self._kinds[path]

    def may_hold(self, folder: str, stem: str) -> bool:
        """Whether a folder may hold a package or module of this name; one listing answers for all names."""
        if folder not in self._stems:
            self._budget.spend(20)
            self._stems[folder] = _list_stems(folder)
        known = self._stems[folder]
        return known is None or stem in known

    def expand(self, pattern: str) -> list[str]:
        """What a path with unknown pieces may be: each piece stands for text within one folder or file name."""
        found = [""]
        for part in pattern.split("/")[1:]:
            if ANY in part:
                found = [path for folder in found for path in self._match(folder, part)][:MOST_MATCHES]
            else:
                found = [path + "/" + part for path in found]
                found = [path for path in found if self.find_kind(path)] if len(found) > 1 else found
        return [path for path in found if self.find_kind(path)]

    def _match(self, folder: str, part: str) -> list[str]:
        expression = compile_pattern(part)
        self._budget.spend(20)
        names = self._list(folder or "/")
        self._budget.spend(len(names) // 20)
        return [folder + "/" + name for name in names if expression.match(name) and not name.startswith(".")]

    def _list(self, folder: str) -> list[str]:
        if folder not in self._listed:
            names: list[str] = []
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        names.append(entry.name)
                        if len(names) % 1000 == 0:
                            self._budget.spend(1000)
            except (OSError, ValueError):
                pass
            self._listed[folder] = sorted(names)
        return self._listed[folder]


def _list_stems(folder: str) -> frozenset[str] | None:
    """What the names in a folder begin with, up to their first dot; None where there are very many."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _MOST_LISTED)]
    except (OSError, ValueError):
        return frozenset()
    return frozenset(name.partition(".")[0] for name in names) if len(names) < _MOST_LISTED else None


def _look_at(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return ""
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else ""


def to_pattern(glob: str) -> str:
    """A shell's wildcards as unknown pieces."""
    if not re.search(r"[*?\[]", glob):
        return glob
    parts = [DEEP if part == "**" else _piece(part) for part in glob.split("/")]
    return "/".join(parts)


def _piece(part: str) -> str:
    return re.sub(r"\*+|\?+|\[[^\]]*\]", ANY, part)


def has_magic(text: str) -> bool:
    """Whether a text has unknown pieces."""
    return ANY in text or DEEP in text


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern as an expression that takes no longer the more unknown pieces it has."""
    return re.compile(fnmatch.translate(re.sub(r"([*?\[])", r"[\1]", pattern).replace(ANY, "*")))


def matches(pattern: str, path: str) -> bool:
    """Whether a path may be what the pattern says."""
    return bool(compile_pattern(pattern).match(path))
