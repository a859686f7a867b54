"""The project: the folder around a notebook or script whose files may go along and come home.

Called by `session.machine` for a session's spec, and by whoever selects files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import choline_jupyter
from choline_jupyter.errors import RequestError
from choline_jupyter.ledger.location import find_data_directory
from choline_jupyter.providers.config import FILE_WAIT, ConfigError, read_cache_limit
from choline_jupyter.store.mark import make_mark

_SIGNS = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg", "environment.yml", ".cholineignore")


def find_project(directory: Path) -> Path:
    """The nearest folder around `directory` that looks like a project's; else `directory` itself. Never home or above."""
    home = Path.home()
    for folder in (directory, *directory.parents):
        if folder == home or folder in home.parents:
            break
        if any((folder / sign).exists() for sign in _SIGNS):
            return folder
    return directory


def describe_files(
    directory: Path, is_isolated: bool, named: Sequence[str] = (), wait: float = FILE_WAIT
) -> dict[str, Any]:
    """What a session is told of the files that it works on, which are not on its machine. Raises RequestError.

    `named`: what the user has said goes along; of folders outside of the project that is all, whenever it is asked for.
    `wait`: for how many seconds, while nobody is connected.
    """
    root = find_project(directory)
    told: dict[str, Any] = {"root": str(root), "mark": make_mark(str(root)), "isolated": is_isolated}
    paths = [Path(name).expanduser().absolute() for name in named]
    folders = [str(path) for path in paths if path.is_dir() and root not in (path, *path.parents)]
    told["roots"] = [str(root), *folders]  # what may be asked for while a cell runs
    told["patience"] = wait
    limit = _read_cache_limit()
    if limit is not None:
        told["cache"] = limit
    if is_isolated:
        told.update(hidden=[str(Path.home()), str(root)], kept=_list_kept())
    return told


def tell_wait(files: Mapping[str, Any] | None) -> str:
    """What a job that goes on alone does about files that nobody foresaw; empty where it has this machine's own."""
    wait = (files or {}).get("patience")
    return "" if wait is None else f" While nobody is connected it waits {wait:g} s for a file that nobody foresaw."


def _read_cache_limit() -> int | None:
    try:
        return read_cache_limit()
    except ConfigError as error:
        raise RequestError(str(error), "Correct that line, or remove it.") from None


def _list_kept() -> list[str]:
    """What an isolated session needs of this machine: its interpreter, and choline itself with its state."""
    package = Path(choline_jupyter.__file__).parent.parent
    state = find_data_directory().path
    return [sys.prefix, sys.base_prefix, sys.exec_prefix, os.fspath(package), os.fspath(state)]
