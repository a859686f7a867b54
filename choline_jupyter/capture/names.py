"""What must be known over there for a cell to find the names that it reads: each name's kind decides how it travels.

Called by `capture.sent`. Modules and what modules hold are imported again; functions and classes of the notebook travel
as the text of the cell that defined them, with what they read in turn; data travels as data (`wire.value`). Nothing is
pickled: what has no safe form is made once more over there by running the cells that made it (`capture.slices`), and
where that cannot be it stays here, and is named.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from choline_jupyter.capture.history import History
from choline_jupyter.capture.proxy import Proxy
from choline_jupyter.capture.reads import find_names
from choline_jupyter.capture.settings import Setting, locate
from choline_jupyter.capture.slices import Slicer
from choline_jupyter.wire.value import Buffer, Unsendable, encode_value

LARGE = 1 << 20  # bytes of a buffer
_NOTEBOOK = "__main__"
_Definition = (FunctionType, type)
_HELD_BACK = "what looks like a secret (--secret passes one)"
_SECRET = re.compile(r"token|secret|passw|credential|api_?key|access_?key", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One name on its way: what `agent.kernel.names` is to do, and the bytes that belong to it."""

    name: str
    act: dict[str, Any]
    buffers: tuple[Buffer, ...] = ()

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of each large buffer, which may travel by itself; empty for a small one."""
        is_large = [memoryview(buffer).nbytes >= LARGE for buffer in self.buffers]
        return tuple(
            hashlib.sha256(buffer).hexdigest() if large else ""
            for buffer, large in zip(self.buffers, is_large, strict=True)
        )

    def find_digest(self) -> str:
        """Of the content: the same for the same value."""
        digest = hashlib.sha256(json.dumps(self.act, sort_keys=True).encode())
        for buffer, own in zip(self.buffers, self.digests, strict=True):
            digest.update(own.encode() or buffer)
        return digest.hexdigest()


@dataclass
class Gathered:
    """The items in the order in which they are to be made, and why others stay here, by name."""

    items: list[Item] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)


def gather(
    names: Iterable[str],
    namespace: Mapping[str, Any],
    history: History,
    is_ours: Callable[[str], bool],
    is_made: Callable[[str], bool] = lambda name: False,
    effects: Iterable[str] = (),
) -> Gathered:
    """What of `names` the notebook's namespace has, with what that needs; `is_ours(name)` says what is not over there.

    `is_made(name)` says what has been re-made over there by running its cells, and is still that. `effects` are statements
    that set global state and go first.
    """
    return _Gatherer(namespace, history, is_ours, is_made).gather(names, effects)


class _Gatherer:
    def __init__(
        self,
        namespace: Mapping[str, Any],
        history: History,
        is_ours: Callable[[str], bool],
        is_made: Callable[[str], bool],
    ) -> None:
        self._namespace, self._history = namespace, history
        self._is_ours, self._is_made = is_ours, is_made
        self._found = Gathered()
        self._seen: set[str] = set()
        self._refused: set[str] = set()  # what cannot be made anew either

    def gather(self, names: Iterable[str], effects: Iterable[str]) -> Gathered:
        for source in effects:
            self._take_effect(source)
        for name in sorted(names):
            self._take(name)
        for path, is_set in sorted(self._history.list_settings().items()):
            self._take_setting(path, locate(path, is_set, self._namespace))
        self._remake()
        return self._found

    def _take_effect(self, source: str) -> None:
        """A statement, with what it reads; one that reads what cannot go stays here."""
        if _SECRET.search(source):
            setting = source.partition("=")[0].strip()
            self._found.kept[setting] = _HELD_BACK
            self._refused.add(setting)
            return
        needed = sorted(find_names(source).reads)
        for name in needed:
            self._take(name)
        if not any(name in self._found.kept for name in needed):
            self._found.items.append(Item("", {"do": "effect", "source": source}))

    def _take_setting(self, path: str, setting: Setting | None) -> None:
        """An attribute of a module, or of a class or function that goes along or has done so."""
        if setting is None or not (setting.is_module or setting.owner in self._seen):
            return
        try:
            if _SECRET.search(path):
                raise Unsendable(_HELD_BACK)
            item = self._make_value(path, setting.value)
        except Unsendable as reason:
            if setting.is_set:
                self._found.kept[path] = str(reason)
                self._refused.add(path)
            return
        act = {"do": "set", "owner": setting.owner, "module": setting.is_module, "path": setting.path}
        self._found.items.append(Item(path, {**act, "value": item.act}, item.buffers))

    def _remake(self) -> None:
        """One run of all cells that have built what has no form as data: such values may hold one another."""
        slicer = Slicer(
            self._namespace, self._history, self._send, lambda name: not self._is_ours(name) or self._is_made(name)
        )
        cells: set[int] = set()
        made: list[str] = []
        while left := [name for name in self._found.kept if name not in made and name not in self._refused]:
            for name in left:
                try:
                    cells |= slicer.find(name)
                    made.append(name)
                except Unsendable as why:
                    self._refused.add(name)
                    self._found.kept[name] += f", {why}"
        if made:
            for name in made:
                del self._found.kept[name]
            sources = [[number, self._history.find_code(number)] for number in sorted(cells)]
            self._found.items.append(Item(made[0], {"do": "replay", "names": made, "cells": sources}))

    def _send(self, name: str) -> bool:
        """Have a value go ahead; False when it cannot."""
        self._take(name)
        return name in self._namespace and name not in self._found.kept

    def _take(self, name: str) -> None:
        if name in self._seen or name not in self._namespace or not self._is_ours(name) or self._is_made(name):
            return
        self._seen.add(name)
        try:
            self._found.items.append(self._make(name, self._namespace[name]))
        except Unsendable as reason:
            self._found.kept[name] = str(reason)

    def _make(self, name: str, value: Any) -> Item:
        if isinstance(value, Proxy):
            raise Unsendable("only what shows a value of another kernel")
        if isinstance(value, ModuleType):
            return Item(name, {"do": "import", "module": value.__name__})
        if self._history.find_definition(name) and _is_defined_here(value):
            return self._make_definition(name)
        return self._make_value(name, value)

    def _make_value(self, name: str, value: Any) -> Item:
        if isinstance(value, (*_Definition, BuiltinFunctionType)) or _has_home(value):
            return self._make_reference(name, value)
        buffers: list[Buffer] = []
        told = encode_value(value, buffers, self._name_class)
        return Item(name, {"do": "value"}, (json.dumps(told, separators=(",", ":")).encode(), *buffers))

    def _name_class(self, kind: type) -> str:
        """The name of a class whose instance is to travel; the class goes first."""
        name = kind.__qualname__
        if self._namespace.get(name) is not kind or not self._history.find_definition(name):
            raise Unsendable(f"an object of type {name}, whose definition is in no cell that has run here")
        self._take(name)
        if name in self._found.kept:
            raise Unsendable(f"an object of type {name}, and that is {self._found.kept[name]}")
        return name

    def _make_definition(self, name: str) -> Item:
        source = self._history.find_definition(name)
        for needed in sorted(find_names(source).reads):
            self._take(needed)
        return Item(name, {"do": "run", "source": source})

    def _make_reference(self, name: str, value: Any) -> Item:
        """Something that a module holds, or another name for something of the notebook's."""
        home, path = str(getattr(value, "__module__", "") or ""), str(getattr(value, "__qualname__", ""))
        if home == _NOTEBOOK:
            if self._namespace.get(path) is not value or path == name:
                raise Unsendable(f"{path or type(value).__name__}, whose definition is in no cell that has run here")
            self._take(path)
            return Item(name, {"do": "alias", "of": path})
        if home and _look_up(home, path) is value:
            return Item(name, {"do": "from", "module": home, "path": path})
        raise Unsendable(f"a {type(value).__name__} that its module does not hold under its name")


def _is_defined_here(value: Any) -> bool:
    """Whether a cell's `def` or `class` has made it, decorated or not."""
    return getattr(value, "__module__", None) == _NOTEBOOK and hasattr(value, "__qualname__")


def _has_home(value: Any) -> bool:
    """Whether it is a callable that a module holds, such as a numpy ufunc or a C function."""
    return callable(value) and bool(getattr(value, "__module__", "")) and bool(getattr(value, "__qualname__", ""))


def _look_up(home: str, path: str) -> object:
    found: object = sys.modules.get(home)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found
