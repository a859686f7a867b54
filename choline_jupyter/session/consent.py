"""Consent: which files may leave this machine. What the user has named goes, what is in doubt is asked about once.

Made by `magic.foreseen` and `cli`, one per process; called in the thread that may ask.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from choline_jupyter.capture.foresight import Need
from choline_jupyter.capture.selection import Choice, Rules, choose
from choline_jupyter.errors import RequestError
from choline_jupyter.session.datasets import list_datasets, list_paths
from choline_jupyter.session.project import find_project

if TYPE_CHECKING:
    from choline_jupyter.session.option_reader import Values

Ask = Callable[[str, bool], str]


class Consent:
    """`ask` puts a question to the user; `is_there` says whether anybody can answer."""

    def __init__(self, ask: Ask, is_there: Callable[[], bool]) -> None:
        self._ask, self._is_there = ask, is_there
        self._allowed: set[str] = set()
        self._told: set[str] = set()

    def choose(self, needs: Iterable[Need], options: Values) -> list[Choice]:
        """Every file of what is needed and of what the options name, those that stay here included. Raises RequestError."""
        root = find_project(Path.cwd())
        named, datasets = _find_named(list_paths(options)), list_datasets(options)
        chosen = choose(needs, Rules(root, named, options.list("without"), frozenset(self._allowed)))
        return [one for one in chosen if not any(dataset.covers(one.path) for dataset in datasets)]

    def settle(self, choices: Sequence[Choice]) -> dict[str, os.stat_result]:
        """What goes: the user is asked once about what may, and told once of what stays."""
        goes = {choice.path: choice.status for choice in choices if not choice.held}
        new = [choice for choice in choices if choice.held and not choice.is_excluded and choice.path not in self._told]
        self._told |= {choice.path for choice in new}
        for held in dict.fromkeys(choice.held for choice in new):
            same = [choice for choice in new if choice.held == held]
            if same[0].asks and self._agrees(same):
                self._allowed |= {choice.path for choice in same}
                goes |= {choice.path: choice.status for choice in same}
            else:
                sys.stderr.write(f"choline: {_list_some(same)}: stays here, because {held}; {same[0].way}.\n")
        return goes

    def _agrees(self, choices: Sequence[Choice]) -> bool:
        if not self._is_there():
            return False
        question = f"{_list_some(choices)}: {choices[0].held}. Send that? [y/N] "
        return self._ask(question, False).strip().lower() in ("y", "yes")


def render_choices(choices: Sequence[Choice]) -> str:
    """What `choline files` prints: each file, its size, why it is needed, and why it stays if it does."""
    if not choices:
        return "No file of this machine is needed, as far as the code tells; --with names one."
    here = f"{Path.cwd()}/"
    rows = [
        (
            _shorten(choice.path, here),
            f"{choice.status.st_size / 1e6:,.2f} MB",
            choice.why,
            choice.held and f"stays: {choice.held}",
        )
        for choice in choices
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}".rstrip() for row in rows]
    going = [choice for choice in choices if not choice.held]
    total = sum(choice.status.st_size for choice in going) / 1e6
    return "\n".join([*lines, f"{len(going)} of {len(choices)} files go along, {total:,.2f} MB."])


def _list_some(choices: Sequence[Choice]) -> str:
    """A few files by their names and reasons, how many more there are, and how large all are."""
    names = ", ".join(f"{choice.path} ({choice.why})" for choice in choices[:3])
    more = f" and {len(choices) - 3} more" if len(choices) > 3 else ""
    return f"{names}{more}, {sum(choice.status.st_size for choice in choices) / 1e6:,.1f} MB"


def _shorten(path: str, here: str) -> str:
    return path.removeprefix(here)


def _find_named(names: Sequence[str]) -> tuple[Path, ...]:
    """What `--with` names; raises RequestError for what is not there."""
    paths = tuple(Path(name).expanduser().absolute() for name in names)
    for path in paths:
        _check_named(path)
    return paths


def _check_named(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        is_loop = getattr(error, "errno", 0) == errno.ELOOP
        what = "is a link that leads to itself" if is_loop else "is not there"
        if isinstance(error, PermissionError):
            what = "you may not look at"
        raise RequestError(f"--with names {path}, which {what}.", "Name a file or folder of this machine.") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        message = f"--with names {path}, which is no file but something that only this machine has."
        raise RequestError(message, "Name a file or folder; write what a pipe or device gives into a file first.")
