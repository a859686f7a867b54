"""Import statements: what they bind, and the local modules that they run.

Called by `statements` and, for `import_module` and its like, by the library's handlers.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight.value import ANY, UNKNOWN, Module, Opaque, Scope, Value, unite

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine


def walk_import(machine: Machine, node: ast.Import, scope: Scope) -> str:
    """`import a.b` and `import a.b as c`."""
    for alias in node.names:
        top, last = machine.import_module(alias.name)
        _bind(machine, scope, alias.asname or alias.name.partition(".")[0], last if alias.asname else top)
    return ""


def walk_from(machine: Machine, node: ast.ImportFrom, scope: Scope) -> str:
    """`from a import b`, relative ones included."""
    base = resolve_base(scope.module, node.module or "", node.level)
    if not base:
        return ""
    _, found = machine.import_module(base)
    for alias in node.names:
        if alias.name == "*":
            _bind_all(machine, scope, found)
        else:
            value = unite(*(find_in(machine, each, alias.name) for each in found))
            _bind(machine, scope, alias.asname or alias.name, value)
    return ""


def resolve_base(module: Module, name: str, level: int) -> str:
    """The full name of the module that a `from` names, seen from inside another."""
    if level == 0:
        return name
    parts = module.name.split(".")
    parts = parts if module.is_package else parts[:-1]
    parts = parts[: len(parts) - level + 1]
    return ".".join([*parts, *([name] if name else [])]) if parts else ""


def find_in(machine: Machine, owner: Any, name: str) -> Value:
    """A name of a module: one that its code binds, else a module below it."""
    if isinstance(owner, Opaque):
        return (Opaque(f"{owner.name}.{name}" if owner.name else name),)
    if not isinstance(owner, Module):
        return UNKNOWN
    if name in owner.scope.names:
        return owner.scope.names[name]
    if owner.is_package and machine.finder.find(f"{owner.name}.{name}"):
        return machine.import_module(f"{owner.name}.{name}")[1]
    return UNKNOWN


def import_text(machine: Machine, text: str, package: str = "") -> Value:
    """`import_module` of a text; where a piece of it is not known, all modules that it may name."""
    if text.startswith(".") and package:
        level = len(text) - len(text.lstrip("."))
        text = resolve_base(Module(package, is_package=True), text.lstrip("."), level)
    if ANY not in text:
        return machine.import_module(text)[1] if text else UNKNOWN
    folder, _, _ = text.partition(ANY)[0].rpartition(".")
    files = machine.finder.find(folder) if folder else []
    if not files:
        return UNKNOWN
    machine.import_module(folder)
    root = files[-1].removesuffix("/__init__.py") or _namespace_root(machine, folder)
    tail = text[len(folder) + 1 :].replace(".", "/")
    names = [path[len(root) + 1 :] for path in machine.disk.expand(f"{root}/{tail}.py")] if root else []
    names += [path[len(root) + 1 :] for path in machine.disk.expand(f"{root}/{tail}/__init__.py")] if root else []
    stems = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names}
    return unite(*(machine.import_module(f"{folder}.{stem}")[1] for stem in sorted(stems - {"__init__"}))) or UNKNOWN


def _namespace_root(machine: Machine, name: str) -> str:
    places = (f"{folder}/{name.replace('.', '/')}" for folder in machine.finder.folders)
    return next((place for place in places if machine.disk.find_kind(place) == "folder"), "")


def _bind(machine: Machine, scope: Scope, name: str, value: Value) -> None:
    from choline_jupyter.capture.foresight.statements import assign

    assign(machine, scope, name, value)


def _bind_all(machine: Machine, scope: Scope, found: Value) -> None:
    for module in found:
        if isinstance(module, Module):
            for name, value in list(module.scope.names.items()):
                if not name.startswith("_"):
                    _bind(machine, scope, name, value)
