"""Slices: the cells that have built a value which has no form as data, so that they can build it over there once more.

Called by `capture.names`. The rule is the cautious one: whatever may have changed a value in place counts as having made
it. A cell's own needs are met by values from the live kernel where they are still what they were when the cell ran, else
by the cells that made them.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import ModuleType
from typing import Any

from choline_jupyter.capture.history import History
from choline_jupyter.wire.value import Unsendable

_FIXED = (str, bytes, int, float, complex, type(None), PurePath)  # cannot be changed in place
_OURS = re.compile(r"_magic\('(choline'|load_ext', 'choline)")


class Slicer:
    """`send(name)` has a value go ahead if it can; `is_there(name)` says what the other side has and need not be sent."""

    def __init__(
        self,
        namespace: Mapping[str, Any],
        history: History,
        send: Callable[[str], bool],
        is_there: Callable[[str], bool],
    ) -> None:
        self._namespace, self._history = namespace, history
        self._send, self._is_there = send, is_there

    def find(self, name: str) -> set[int]:
        """The numbers of the cells that have built what a name is now; raises Unsendable."""
        cells: set[int] = set()
        wanted = [(name, self._history.count())]
        seen = set(wanted)
        while wanted:
            for number in self._list_makers(*wanted.pop()):
                if number not in cells:
                    cells.add(number)
                    new = [(need, number) for need in self._list_needs(number)]
                    wanted += [need for need in new if need not in seen]
                    seen.update(new)
        return cells

    def _list_makers(self, name: str, before: int) -> list[int]:
        """The cells that made and changed a name, back to the one that bound it to something new."""
        found = []
        for number in range(before - 1, 0, -1):
            cell = self._history.find_cell(number)
            if name not in cell.names.writes and not cell.may_change(name, self._namespace.get(name)):
                continue
            self._check(name, number)
            found.append(number)
            if name in cell.names.writes and name not in cell.names.reads:
                return found
        raise Unsendable(f"made by no cell that has run here ({name})")

    def _check(self, name: str, number: int) -> None:
        cell = self._history.find_cell(number)
        if self._history.has_failed(number):
            raise Unsendable(f"made in part by cell {number}, which failed ({name})")
        if _OURS.search(self._history.find_code(number)):
            raise Unsendable(f"made in part by cell {number}, which calls choline ({name})")
        if cell.asks:
            raise Unsendable(f"made in part by cell {number}, which asks for input ({name})")

    def _list_needs(self, number: int) -> list[str]:
        """What a cell reads that only other cells can make as it was."""
        needs = []
        for name in sorted(self._history.find_cell(number).names.reads):
            if hasattr(builtins, name) and not self._history.find_write(name):
                continue
            if not self._is_at_hand(name, number):
                needs.append(name)
        return needs

    def _is_at_hand(self, name: str, number: int) -> bool:
        """Whether the value of now is the one that cell `number` found, and can be had over there."""
        if isinstance(self._namespace.get(name), ModuleType):
            return self._send(name)
        if name not in self._namespace:  # deleted since, or never there: an error that the cell has survived
            return not self._history.find_write(name)
        is_fixed = isinstance(self._namespace[name], _FIXED)
        for later in map(self._history.find_cell, range(number, self._history.count())):
            if name in later.names.writes or (not is_fixed and later.may_change(name, self._namespace[name])):
                return False
        return self._is_there(name) or self._send(name)
