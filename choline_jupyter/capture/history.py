"""The notebook's own cells, as far as they have run here: which names they have bound, and with what text.

Made by `capture.names`' caller, one per shell. Cells are parsed once, when somebody first asks. A `%%choline` cell is a
call of IPython's in here, so it binds nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from choline_jupyter.capture.changes import asks_user, find_changes, find_consumed, find_effects
from choline_jupyter.capture.reads import Names, find_names
from choline_jupyter.capture.settings import find_settings

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAKERS = {"namedtuple", "NamedTuple", "make_dataclass", "TypedDict", "Enum", "IntEnum", "Flag", "IntFlag", "StrEnum"}


class Cell(NamedTuple):
    """One cell that has run: its names and, by name, the text that defines a function or class."""

    names: Names
    definitions: dict[str, str]
    changes: frozenset[str] = frozenset()  # what it may have changed in place
    effects: tuple[str, ...] = ()  # its statements that set global state
    asks: bool = False
    consumed: frozenset[str] = frozenset()  # what it has gone through
    settings: Mapping[str, bool] = MappingProxyType({})  # attributes that it changes (`capture.settings`)

    def may_change(self, name: str, value: object) -> bool:
        """Whether it may have changed a value in place."""
        return name in self.changes or (name in self.consumed and hasattr(value, "__next__"))


class History:
    """`inputs` is the shell's own list of transformed cells, which grows; cell N of the notebook is its item N."""

    def __init__(self, inputs: Sequence[str]) -> None:
        self._inputs = inputs
        self._cells: list[Cell] = []
        self._written: dict[str, int] = {}
        self._defined: dict[str, str] = {}
        self._failed: set[int] = set()
        self._settings: dict[str, bool] = {}

    def count(self) -> int:
        """The number of the next cell."""
        self._read()
        return len(self._cells)

    def find_cell(self, number: int) -> Cell:
        return self._cells[number]

    def find_code(self, number: int) -> str:
        """The text of a cell."""
        return self._inputs[number]

    def has_failed(self, number: int) -> bool:
        return number in self._failed

    def note_failure(self, number: int) -> None:
        """Cell `number` has ended with an error: nobody knows how much of it has run."""
        self._failed.add(number)

    def find_write(self, name: str) -> int:
        """The number of the cell that bound a name last; 0 for none."""
        self._read()
        return self._written.get(name, 0)

    def find_change(self, name: str, value: object) -> int:
        """The number of the last cell that has bound a name or may have changed its value in place; 0 for none."""
        last = self.find_write(name)
        for number in range(len(self._cells) - 1, last, -1):
            if self._cells[number].may_change(name, value):
                return number
        return last

    def list_settings(self) -> dict[str, bool]:
        """The attributes that cells have changed so far, and whether by an assignment."""
        self._read()
        return self._settings

    def find_definition(self, name: str) -> str:
        """The text of the `def`, `class`, `name = lambda` or `name = namedtuple(...)` that bound a name last; empty for none."""
        self._read()
        return self._defined.get(name, "")

    def note_write(self, name: str, number: int) -> None:
        """Cell `number` has bound a name by other means than its text: a value was fetched."""
        self._read()
        self._written[name] = number
        self._defined.pop(name, None)

    def _read(self) -> None:
        for number in range(len(self._cells), len(self._inputs)):
            cell = _read_cell(self._inputs[number])
            self._cells.append(cell)
            for name in cell.names.writes:
                self._written[name] = number
                self._defined.pop(name, None)
            self._defined.update(cell.definitions)
            for path, is_set in cell.settings.items():
                self._settings[path] = self._settings.get(path, False) or is_set


def list_sources(code: str, history: History) -> list[str]:
    """A cell and the definitions that it relies on, each once."""
    sources, seen = [code], set[str]()
    for source in sources:  # grows
        for name in sorted(find_names(source).reads - seen):
            seen.add(name)
            definition = history.find_definition(name)
            sources += [definition] if definition else []
    return sources


def _read_cell(code: str) -> Cell:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Cell(Names(), {})
    names = find_names(code)
    return Cell(
        names,
        {name: text for node in tree.body for name, text in _find_definitions(node, code)},
        frozenset(find_changes(tree)) & (names.reads | names.writes),
        tuple(ast.unparse(node) for node in find_effects(tree)),
        asks_user(tree),
        frozenset(find_consumed(tree)) & names.reads,
        find_settings(tree),
    )


def _find_definitions(node: ast.stmt, code: str) -> list[tuple[str, str]]:
    lines = code.splitlines()
    if isinstance(node, _DEFINITIONS):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        return [(node.name, "\n".join(lines[first - 1 : node.end_lineno]))]
    if isinstance(node, ast.Assign) and (isinstance(node.value, ast.Lambda) or _makes_class(node.value)):
        text = ast.get_source_segment(code, node) or ""
        return [(target.id, text) for target in node.targets if isinstance(target, ast.Name)]
    return []


def _makes_class(node: ast.expr) -> bool:
    """Whether it is a call such as `namedtuple("Point", "x y")`."""
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _MAKERS
