"""Text to syntax trees, each text once: cells with their magics, and files of code.

Promise: a text that is no Python has an empty tree; nothing is raised.
"""

from __future__ import annotations

import ast
import os
import re
import stat
import warnings
from functools import lru_cache

LARGEST = 250_000  # bytes of one file of code
_LONGEST_CELL, _MOST_MAGICS = 50_000, 100
# Cell magics whose body is Python of the notebook; the others' bodies are read by `shell.py` or not at all.
_PYTHON_MAGICS = frozenset({"time", "timeit", "capture", "prun", "choline", "memit", "mprun"})


@lru_cache(maxsize=1024)
def parse_cell(code: str) -> ast.Module:
    """The tree of a cell. Magics and shell lines are in it as the calls that IPython makes of them."""
    if len(code) > LARGEST:
        return ast.Module([], [])
    tree = _parse(code)
    return tree if tree is not None else _parse(_transform(code)) or ast.Module([], [])


def parse_file(path: str) -> ast.Module | None:
    """The tree of a file, None where it cannot be read; again only when the file has changed."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
        return None
    return _parse_file(path, (status.st_size, status.st_mtime_ns, status.st_ino))


def read_text(path: str, largest: int = LARGEST) -> str:
    """A regular file as text, empty where that cannot be."""
    try:
        # A FIFO in the place of the file would hang a plain open.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, encoding="utf-8", errors="replace") as stream:
            status = os.fstat(descriptor)
            return stream.read() if stat.S_ISREG(status.st_mode) and status.st_size <= largest else ""
    except (OSError, ValueError):
        return ""


@lru_cache(maxsize=1024)
def _parse_file(path: str, signature: tuple[int, int, int]) -> ast.Module | None:
    return _parse(read_text(path))


def _parse(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in the user's text is not for us to speak about
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _transform(code: str) -> str:
    from IPython.core.inputtransformer2 import TransformerManager

    if len(code) > _LONGEST_CELL or sum(line.lstrip()[:1] in {"!", "%"} for line in code.splitlines()) > _MOST_MAGICS:
        return _transform_plainly(code)  # IPython takes a time that grows with the square of these
    magic = re.match(r"\s*%%(\w+)[^\n]*\n", code)
    if magic and magic.group(1) in _PYTHON_MAGICS:
        return _transform(code[magic.end() :])
    try:
        return TransformerManager().transform_cell(code)
    except Exception:  # noqa: BLE001 - any text at all may be in a cell
        return ""


def _transform_plainly(code: str) -> str:
    """Line by line, which is wrong only where a text of many lines looks like a magic."""
    magic = re.match(r"\s*%%(\w+)([^\n]*)\n", code)
    if magic:
        return f"get_ipython().run_cell_magic({magic.group(1)!r}, {magic.group(2).strip()!r}, {code[magic.end() :]!r})"
    return "\n".join(_transform_line(line) for line in code.splitlines())


def _transform_line(line: str) -> str:
    body = line.lstrip()
    indent = line[: len(line) - len(body)]
    if body.startswith("!"):
        return f"{indent}get_ipython().system({body[1:]!r})"
    if body.startswith("%"):
        name, _, rest = body[1:].partition(" ")
        return f"{indent}get_ipython().run_line_magic({name!r}, {rest!r})"
    return line
