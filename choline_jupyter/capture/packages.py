"""Which packages a cell needs elsewhere: what it imports, as what this interpreter has of it.

Called by `magic.luggage` and `cli` for machines that are not this one. Promise: a name that no distribution here holds is
reported and not guessed; the user's own modules, the standard library and what every kernel brings are no packages.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from choline_jupyter.capture.distributions import Installed, Inventory, find_place, take_inventory
from choline_jupyter.capture.foresight import Need
from choline_jupyter.capture.imports import Imports, find_imports, read_python
from choline_jupyter.capture.reads import find_names
from choline_jupyter.model.requirement import normalize

_KERNEL = ("ipykernel", "pip")  # what every environment of a session holds, with what they need
_OURS = "choline_jupyter"
_LOOKED_INTO = 100  # elements of a container whose types count
_DEPTH = 3
_LONGEST = 1 << 20  # bytes of a module
_HERE = Path(__file__).parents[1]  # our own code is over there already


@dataclass(frozen=True)
class Packages:
    """`requirements` as PEP 508 has them; `unknown` modules are neither here nor optional; `local` are the user's own."""

    requirements: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    local: tuple[str, ...] = ()


def find_packages(sources: Sequence[str], namespace: Mapping[str, Any], earlier: Sequence[str] = ()) -> Packages:
    """What texts (a cell, definitions and modules that go with it) need where they run.

    `namespace` holds what names that they read are here. `earlier` are cells that ran before: their `pip install` lines
    say which extras are meant.
    """
    found = [find_imports(source) for source in sources]
    modules = {module for one in found for module in one.modules} | set(_list_read(sources, namespace))
    optional = {module for one in found for module in one.optional} - modules
    finder = _Finder()
    for line in [*(find_imports(text) for text in earlier if "pip" in text), *found]:
        finder.hear(line)
    for module in sorted(modules | optional):
        finder.take(module, is_optional=module in optional)
    for one in found:
        finder.add_lines(one)
    return Packages(tuple(sorted(finder.wanted.values())), tuple(sorted(finder.unknown)), tuple(sorted(finder.local)))


def read_modules(needs: Iterable[Need]) -> list[str]:
    """The texts of the local modules among what was foreseen."""
    texts = []
    for need in needs:
        is_code = need.kind == "module" and need.path.suffix == ".py" and _HERE not in need.path.parents
        with suppress(OSError):
            if is_code and need.path.stat().st_size < _LONGEST:
                texts.append(need.path.read_text(errors="replace"))
    return texts


class _Finder:
    """Gathers requirements by the distribution's name."""

    def __init__(self) -> None:
        self.wanted: dict[str, str] = {}
        self.unknown: set[str] = set()
        self.local: set[str] = set()
        self._lines: dict[str, Requirement] = {}
        self._homes: set[str] = set()

    def hear(self, found: Imports) -> None:
        """What was said of packages in lines of pip; the last one counts."""
        for word in found.pip:
            try:
                line = Requirement(word)
            except InvalidRequirement:  # a path, say
                continue
            self._lines[normalize(line.name)] = line

    def take(self, module: str, *, is_optional: bool) -> None:
        """A module that is imported."""
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or top in sys.builtin_module_names or top in ("__main__", _OURS):
            return
        inventory = take_inventory()
        owners = inventory.find_owners(module)
        if find_place(top) and not any(owner.home for owner in owners):
            self.local.add(top)  # it comes before what is installed under its name, or is what nothing installs
        elif owners:
            for owner in owners:
                self._add(owner, inventory)
        elif not is_optional:
            self.unknown.add(top)

    def add_lines(self, found: Imports) -> None:
        """What the texts themselves install: as they say it, unless it is here too and they name no version."""
        for word in found.pip:
            try:
                line = Requirement(word)
            except InvalidRequirement:
                continue
            name = normalize(line.name)
            here = take_inventory().by_name.get(name)
            if line.specifier or line.url or here is None:
                self.wanted[name] = str(line)
                self.unknown -= {line.name, line.name.replace("-", "_")}
            else:
                self._add(here, take_inventory())

    def _add(self, owner: Installed, inventory: Inventory) -> None:
        name = normalize(owner.name)
        if name in self.wanted or name in self._homes or name in _list_given(inventory):
            return
        if owner.home:  # its source goes as files; what that needs is a package
            self._homes.add(name)
            self._add_needs(owner, inventory)
            return
        extras = sorted(self._lines[name].extras) if name in self._lines else []
        self.wanted[name] = owner.spell(f"[{','.join(extras)}]" if extras else "")

    def _add_needs(self, owner: Installed, inventory: Inventory) -> None:
        for need in owner.list_needs():
            here = inventory.by_name.get(normalize(need.name))
            if here is None:
                self.wanted.setdefault(normalize(need.name), _spell_need(need))
            elif not here.home and here.name not in self.wanted and need.extras:
                self.wanted[normalize(here.name)] = here.spell(f"[{','.join(sorted(need.extras))}]")
            else:
                self._add(here, inventory)


def _spell_need(need: Requirement) -> str:
    return f"{need.name}{need.specifier}"


_given: tuple[int, frozenset[str]] | None = None


def _list_given(inventory: Inventory) -> frozenset[str]:
    """What every kernel brings: a cell that imports IPython asks for no version of it."""
    global _given  # noqa: PLW0603 - of the one inventory
    if _given is None or _given[0] != id(inventory):
        _given = (id(inventory), frozenset(inventory.find_closure(*_KERNEL)))
    return _given[1]


def _list_read(sources: Iterable[str], namespace: Mapping[str, Any]) -> Iterable[str]:
    """The modules that hold what the names that are read stand for here."""
    for source in sources:
        for name in find_names(read_python(source)).reads:
            if name in namespace and not name.startswith("_"):
                yield from _list_homes(namespace[name], _DEPTH)


def _list_homes(value: Any, depth: int) -> Iterable[str]:
    """The module itself, or the one that a value or its type is from; of containers also their elements'."""
    if isinstance(value, ModuleType):
        yield value.__name__
        return
    home = getattr(value, "__module__", None) if isinstance(value, type) or callable(value) else None
    for name in (home, type(value).__module__):
        if isinstance(name, str) and name:
            yield name
    if depth and type(value) in (list, tuple, set, dict):
        elements = value.values() if isinstance(value, dict) else value
        for _, element in zip(range(_LOOKED_INTO), elements, strict=False):
            yield from _list_homes(element, depth - 1)
