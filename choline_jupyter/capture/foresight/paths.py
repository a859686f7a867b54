"""Texts as paths: joins, parents, names, endings, as `os.path` and `pathlib` make them, unknown pieces kept.

Called by the library's handlers and by `operators`.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from choline_jupyter.capture.foresight.value import ANY, tidy


def join_paths(*parts: str) -> str:
    """`os.path.join`. A piece that is not known is taken to be relative."""
    made = ""
    for part in parts:
        made = part if part.startswith("/") else f"{made}/{part}" if made and not made.endswith("/") else made + part
    return tidy(made)


def get_part(path: str, name: str) -> str:
    """An attribute of a `pathlib` path that is a text."""
    pure = PurePosixPath(path)
    if name == "suffix" and ANY in pure.name and "." not in pure.name.replace(ANY, ""):
        return ANY
    return str(getattr(pure, name))


def get_parent(path: str, above: int = 1) -> str:
    """The folder of a path, or one further above."""
    for _ in range(min(above, 50)):
        path = str(PurePosixPath(path).parent)
    return path


def replace_name(path: str, name: str) -> str:
    """`with_name`."""
    return join_paths(get_parent(path), name)


def replace_suffix(path: str, suffix: str) -> str:
    """`with_suffix`."""
    stem, _ = os.path.splitext(path)
    return stem + suffix


def normalise(path: str) -> str:
    """`os.path.normpath`."""
    return os.path.normpath(path) if path else "."
