"""The grid of a sweep: which parameters each of its jobs has, and the cell's text with them in it.

Called by `magic.sweep`; no I/O. Promise: a job's text alone says its parameters, so that it can be compared, repeated and
resumed like any other, and lines keep their numbers where the cell itself sets what is swept.
"""

from __future__ import annotations

import ast
import itertools
import keyword
import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from choline_jupyter.capture.reads import find_names
from choline_jupyter.errors import RequestError
from choline_jupyter.session.option_reader import find_nearest
from choline_jupyter.session.option_table import quote

Parameters = dict[str, Any]
Grid = Mapping[str, Iterable[Any]] | Iterable[Mapping[str, Any]]

MOST = 1000
_PARAMETER = re.compile(r"(?:^| )(\w+)=")
_PLAIN = (bool, int, float, str, type(None))
_EXAMPLE = "Write --sweep lr=1e-3,3e-4, once for each name."


def read_grid(options: Sequence[str]) -> list[Parameters]:
    """Every combination of what `--sweep NAME=VALUE,...` says, given once or more. Raises RequestError."""
    grid: dict[str, list[Any]] = {}
    for text in options:
        name, equals, values = text.partition("=")
        if not equals or not values.strip():
            raise RequestError(f"--sweep {quote(text)} has no values.", _EXAMPLE)
        if name.strip() in grid:
            raise RequestError(f"--sweep names {quote(name)} twice.", "Give all its values in one.")
        grid[name.strip()] = _read_values(values)
    return make_grid(grid)


def make_grid(grid: Grid) -> list[Parameters]:
    """Every combination of a dictionary's values; or the dictionaries of a list, as they are. Raises RequestError."""
    if isinstance(grid, Mapping):
        columns = {name: _list_values(name, values) for name, values in grid.items()}
        found = [dict(zip(columns, row, strict=True)) for row in itertools.product(*columns.values())]
    else:
        found = [dict(row) for row in grid]
    names = list(dict.fromkeys(name for row in found for name in row))
    if not found or not names:
        raise RequestError("The sweep has no parameters.", _EXAMPLE)
    if len(found) > MOST:
        raise RequestError(f"The sweep would be {len(found):,} jobs.", f"Give at most {MOST:,}.")
    for row in found:
        _check(row, names)
    repeated = next((row for place, row in enumerate(found) if row in found[:place]), None)
    if repeated:
        raise RequestError(f"The sweep has {describe(repeated)} twice.", "Give each value once.")
    return found


def describe(parameters: Parameters) -> str:
    """`lr=0.001 width=64`."""
    return " ".join(f"{name}={value!r}" for name, value in parameters.items())


def read_description(text: str) -> Parameters:
    """What `describe` has written; what is no literal, as one that was cut off, stays text."""
    found: Parameters = {}
    matches = [match for match in _PARAMETER.finditer(text) if not _is_inside(text[: match.start()])]
    ends = [match.start() for match in matches[1:]] + [len(text)]
    for match, end in zip(matches, ends, strict=False):
        value = text[match.end() : end]
        try:
            found[match[1]] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[match[1]] = value
    return found


def put_in(code: str, parameters: Parameters) -> str:
    """The cell with these parameters: in place of the values that it sets itself, the others on a line above it.

    `code` is Python without magics, or a text that sets none of them. Raises RequestError.
    """
    statements = _parse(code)
    edits, above = [], {}
    for name, value in parameters.items():
        first = next((one for one in statements if name in find_names(ast.unparse(one)).writes), None)
        if first is None:
            above[name] = value
        else:
            edits.append((_find_value(first, name), repr(value)))
    lines = "".join(f"{text}\n" for text in ["; ".join(f"{name} = {value!r}" for name, value in above.items())] if text)
    made = lines + _replace(code, edits)
    if statements and not is_python(made):  # `from __future__` has to come first
        raise RequestError(
            f"{', '.join(parameters)} cannot be set above this cell.", "Set it in the cell: the value is replaced."
        )
    return made


def check_names(names: Iterable[str], sources: Iterable[str]) -> None:
    """Raise RequestError for a parameter that nothing of the cell reads or sets: all its jobs would be the same."""
    known: set[str] = set()
    for source in sources:
        found = find_names(source)
        known |= found.reads | found.writes
    for name in names:
        if name not in known:
            nearest = find_nearest(name, known)
            raise RequestError(
                f"The cell does not use {name}.",
                f"Did you mean {nearest}?" if nearest else "Name what it reads or sets.",
            )


def is_python(code: str) -> bool:
    """Whether a cell is Python as it stands, without magics."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(code, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _read_values(text: str) -> list[Any]:
    """Python's literals; what is none is text."""
    try:
        return list(ast.literal_eval(f"[{text}]"))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return [_read_value(part.strip()) for part in text.split(",")]


def _read_value(text: str) -> Any:
    if not text:
        raise RequestError("A value of --sweep is empty.", _EXAMPLE)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text


def _list_values(name: str, values: Iterable[Any]) -> list[Any]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise RequestError(f"The values of {name} are no list.", f"Write [{values!r:.40}].")
    return [value.item() if hasattr(value, "item") and not isinstance(value, _PLAIN) else value for value in values]


def _check(row: Parameters, names: list[str]) -> None:
    for name in names:
        if not str(name).isidentifier() or keyword.iskeyword(name):
            raise RequestError(f"{name!r:.60} is no name of a parameter.", _EXAMPLE)
        if name not in row:
            raise RequestError(f"A job of the sweep has no {name}, another has.", "Give each the same names.")
        if not _is_plain(row[name]):
            raise RequestError(
                f"{name} = {row[name]!r:.60} is no number, text, or list of them.",
                "Sweep over something plain and have the cell make the rest of it.",
            )


def _is_plain(value: Any) -> bool:
    """Whether its `repr` is the same again."""
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return all(map(_is_plain, value))
    return type(value) in _PLAIN and (not isinstance(value, float) or math.isfinite(value))


def _parse(code: str) -> list[ast.stmt]:
    return ast.parse(code).body if is_python(code) else []


def _find_value(statement: ast.stmt, name: str) -> ast.expr:
    """What a statement sets a name to."""
    if isinstance(statement, ast.AnnAssign) and statement.value:
        return statement.value
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
        if isinstance(target, ast.Name):
            return value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for left, right in zip(target.elts, value.elts, strict=True):
                if isinstance(left, ast.Name) and left.id == name and not isinstance(right, ast.Starred):
                    return right
    raise RequestError(
        f"Line {statement.lineno} sets {name} in a way that a sweep cannot replace.", f"Write {name} = ... on its own."
    )


def _replace(code: str, edits: list[tuple[ast.expr, str]]) -> str:
    """Columns are counted in bytes."""
    lines = [line.encode() for line in code.split("\n")]
    for node, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        rest = lines[last][node.end_col_offset or 0 :]
        lines[first : last + 1] = [lines[first][: node.col_offset] + text.encode() + rest]
    return b"\n".join(lines).decode()


def _is_inside(text: str) -> bool:
    """Whether a text's end is within quotes."""
    quote, is_escaped = "", False
    for letter in text:
        if is_escaped:
            is_escaped = False
        elif letter == "\\":
            is_escaped = True
        elif letter in "'\"" and quote in ("", letter):
            quote = "" if quote else letter
    return bool(quote)
