"""Which names of a session can be had on another machine, and how: as the bytes that it gave, by running text again, or not.

Called by `session.relocation` for a session that moves. Pure: it knows the cells that have run over there as text, the names
as the machine has told of them, and their bytes, which it does not look into. Text that runs on the new machine is the
user's own; what the old machine says is never run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple

from choline_jupyter.capture.history import History
from choline_jupyter.capture.names import Item
from choline_jupyter.capture.reads import find_names
from choline_jupyter.capture.slices import Slicer
from choline_jupyter.wire.value import Buffer, Unsendable

STATE = "{}.state_dict()"
Parts = Sequence[Buffer]


class Held(NamedTuple):
    """A name of the old session as its machine tells of it; `of` is what an alias is another word for."""

    name: str
    kind: str
    of: str = ""


class Given(NamedTuple):
    """What the old machine gave: by name, values and states in parts; why it gave no value."""

    values: Mapping[str, Parts]
    states: Mapping[str, Parts]
    refused: Mapping[str, str]


@dataclass
class Relocation:
    """`items` are made over there in their order; `needed` are names of the notebook, which brings them itself."""

    items: list[Item] = field(default_factory=list)
    needed: set[str] = field(default_factory=set)
    carried: dict[str, int] = field(default_factory=dict)  # bytes
    rewritten: set[str] = field(default_factory=set)  # by their text
    replayed: set[str] = field(default_factory=set)
    stateful: set[str] = field(default_factory=set)  # of which the state is carried
    lost: dict[str, str] = field(default_factory=dict)
    cells: list[int] = field(default_factory=list)  # that are run again
    sources: str = ""

    def give_up(self, names: Collection[str], why: str) -> None:
        """These are not over there after all."""
        for name in names:
            self.lost.setdefault(name, why)
            self.carried.pop(name, None)
            self.rewritten.discard(name)
            self.replayed.discard(name)


def plan_relocation(
    held: Sequence[Held], given: Given, cells: History, has_here: Callable[[str], bool], allows_replay: bool = True
) -> Relocation:
    """`cells` have run over there; `has_here(name)`: the notebook has a name and brings it, if no cell over there made it."""
    return _Planner(held, given, cells, has_here).plan(allows_replay)


def find_source(cells: History, name: str) -> str:
    """The text that makes a name anew wherever it runs: a definition, or an import; empty for none."""
    return cells.find_definition(name) or _find_import(cells, name)


class _Planner:
    def __init__(self, held: Sequence[Held], given: Given, cells: History, has_here: Callable[[str], bool]) -> None:
        self._held = {one.name: one for one in held}
        self._given, self._cells, self._has_here = given, cells, has_here
        self._found = Relocation()
        self._seen: set[str] = set()
        self._left: list[str] = []  # to be made by running cells

    def plan(self, allows_replay: bool) -> Relocation:
        found = self._found
        for name in sorted(self._held, key=lambda name: self._held[name].kind != "definition"):
            self._take(name)
        self._choose_cells(allows_replay)
        self._set_effects()
        self._replay()
        for name, parts in sorted(self._given.states.items()):
            if name in found.replayed or name in found.needed:
                found.items.append(Item(name, {"do": "state"}, tuple(parts)))
                found.carried[name] = _measure(parts)
                found.stateful.add(name)
        self._name_aliases()
        self._name_settings()
        texts = [item.act["source"] for item in found.items if "source" in item.act]
        found.sources = "\n".join([*texts, *map(self._cells.find_code, found.cells)])
        return found

    def _set_effects(self) -> None:
        """What cells that are not run again have set for everything."""
        found = self._found
        for effect in [effect for number in self._list_others() for effect in self._cells.find_cell(number).effects]:
            reads = find_names(effect).reads
            if all(self._send(name) or name not in self._held for name in reads):
                found.needed |= {name for name in reads if name not in self._held and self._has_here(name)}
                found.items.append(Item("", {"do": "effect", "source": effect}))

    def _list_others(self) -> Iterator[int]:
        for number in range(1, self._cells.count()):
            if number not in self._found.cells and not self._cells.has_failed(number):
                yield number

    def _take(self, name: str) -> None:
        if name in self._seen or name not in self._held:
            return
        self._seen.add(name)
        one, parts = self._held[name], self._given.values.get(name)
        source = find_source(self._cells, name)
        if one.kind == "alias":
            return
        if parts is not None:
            self._found.items.append(Item(name, {"do": "value"}, tuple(parts)))
            self._found.carried[name] = _measure(parts)
        elif source and one.kind in ("definition", "import", "module"):
            self._rewrite(name, source)
        elif not self._cells.find_write(name) and self._has_here(name):
            self._found.needed.add(name)
        else:
            self._left.append(name)

    def _rewrite(self, name: str, source: str) -> None:
        reads = find_names(source).reads
        for need in sorted(reads):
            self._take(need)
        self._found.needed |= {need for need in reads if need not in self._held and self._has_here(need)}
        self._found.rewritten.add(name)
        self._found.items.append(Item(name, {"do": "run", "source": source}))

    def _choose_cells(self, allows_replay: bool) -> None:
        """Those that have built what is left."""
        found = self._found
        slicer = _Builders(self._imagine(), self._cells, self._send, self._given.states, self._has_here)
        numbers: set[int] = set()
        for name in self._left:
            why = self._given.refused.get(name, "")
            try:
                cells = slicer.find(name)
            except Unsendable as reason:
                found.lost[name] = ", ".join(filter(None, (why, str(reason))))
                continue
            if allows_replay:
                numbers |= cells
                found.replayed.add(name)
            else:
                found.lost[name] = ", ".join(filter(None, (why, "its cells were not to be run again")))
        found.cells = sorted(numbers)
        if numbers:
            found.needed |= slicer.brought
        for number in found.cells:
            reads = self._cells.find_cell(number).names.reads
            found.needed |= {name for name in reads if name not in self._held and self._has_here(name)}

    def _replay(self) -> None:
        """One run of all these cells: what they make may hold one another."""
        found = self._found
        changed = [item for item in found.items if item.act["do"] == "value" and item.name in found.needed]
        if found.replayed:
            found.items = [item for item in found.items if not any(item is one for one in changed)]
            sources = [[number, self._cells.find_code(number)] for number in found.cells]
            names = sorted(found.replayed)
            found.items.append(Item(names[0], {"do": "replay", "names": names, "cells": sources}))
            found.items += changed  # the cells found them as the notebook has them

    def _name_aliases(self) -> None:
        found = self._found
        for name, kind, of in self._held.values():
            if kind == "alias" and of in found.lost:
                found.lost[name] = f"the same as {of}"
            elif kind == "alias":
                found.items.append(Item(name, {"do": "alias", "of": of}))
                found.rewritten.add(name)

    def _name_settings(self) -> None:
        """Attributes that cells have set on modules, classes and functions, which are made anew without them."""
        for number in self._list_others():
            cell = self._cells.find_cell(number)
            for path in cell.settings:
                one = self._held.get(path.partition(".")[0])
                if one and one.kind in ("module", "definition", "import") and not any(path in e for e in cell.effects):
                    self._found.lost[path] = "set by a cell: set it again"

    def _imagine(self) -> dict[str, object]:
        """What the rule for slices asks of a value: whether it is a module, can be changed, is gone through."""
        shapes: dict[str, object] = {"module": ModuleType("there"), "fixed": 0, "iterator": iter(())}
        return {name: shapes.get(one.kind, object()) for name, one in self._held.items()}

    def _send(self, name: str) -> bool:
        found = self._found
        return name in found.carried or name in found.rewritten or name in found.needed


class _Builders(Slicer):
    """Of what gives its state as data, the cells that bound it are enough: what has changed it since is in the state.

    `brought` is what cells here have changed and none has made: the notebook has it as they found it.
    """

    def __init__(
        self,
        namespace: Mapping[str, Any],
        history: History,
        send: Callable[[str], bool],
        states: Collection[str],
        has_here: Callable[[str], bool],
    ) -> None:
        super().__init__(namespace, history, send, lambda name: False)
        self._states, self._has_here = states, has_here
        self.brought: set[str] = set()

    def _list_makers(self, name: str, before: int) -> list[int]:
        if not self._history.find_write(name) and self._has_here(name):
            self.brought.add(name)
            value = self._namespace.get(name)
            found = [n for n in range(1, before) if self._history.find_cell(n).may_change(name, value)]
            for number in found:
                self._check(name, number)
            return found
        if name not in self._states:
            return super()._list_makers(name, before)
        for number in range(before - 1, 0, -1):
            if name in self._history.find_cell(number).names.writes:
                self._check(name, number)
                return [number]
        raise Unsendable(f"made by no cell that has run there ({name})")


def _find_import(cells: History, name: str) -> str:
    """The import that bound a name last."""
    number = cells.find_write(name)
    if not number:
        return ""
    found = ""
    for node in ast.walk(ast.parse(cells.find_code(number))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if (alias.asname or alias.name.partition(".")[0]) == name:
                    found = ast.unparse(node)
    return found


def _measure(parts: Parts) -> int:
    return sum(memoryview(part).nbytes for part in parts)
