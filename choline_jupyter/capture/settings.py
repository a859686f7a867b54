"""Settings: attributes of modules, classes and functions that cells of the notebook have set or changed in place.

Read from the text of cells by `capture.history`, looked up in the live namespace by `capture.names`: what travels is the
attribute's value of now. A module is imported anew over there, and a class is made from its text: neither would know of
`config.LR = 3`, or of `Config.names.append("x")`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

_CONTAINERS = (list, dict, set, bytearray)  # whose methods may change them
_OF_THE_PROCESS = frozenset(sys.stdlib_module_names)  # they say how this process is, not what the user wants
_WANTED = {"sys.argv"}


class Setting(NamedTuple):
    """Where a value is: `owner` is a module's name, or that of a class or function of the notebook (`is_module` False)."""

    owner: str
    is_module: bool
    path: str
    value: Any
    is_set: bool  # assigned, not only changed in place


def find_settings(tree: ast.AST) -> dict[str, bool]:
    """The attributes (`config.LR`) that code changes, and whether it assigns them; names of inner functions are among them."""
    found: dict[str, bool] = {}
    for node in ast.walk(tree):
        for path, is_set in _list_changed(node):
            found[path] = found.get(path, False) or is_set
    return found


def locate(path: str, is_set: bool, namespace: Mapping[str, Any]) -> Setting | None:
    """The attribute that a path means now; None if it is not one of a module, class or function of the user's."""
    name, *parts = path.split(".")
    owner, owners = namespace.get(name), [namespace.get(name)]
    while len(parts) > len(owners) and isinstance(_get(owner, parts[len(owners) - 1]), (ModuleType, type)):
        owner = _get(owner, parts[len(owners) - 1])
        owners.append(owner)
    steps = parts[: len(owners)]
    value, is_set = _get(owner, steps[-1]), is_set and steps == parts
    home = _find_home(name, owners, steps)
    if home is None or isinstance(value, ModuleType) or (value is None and not _has(owner, steps[-1])):
        return None
    if not is_set and type(value) not in _CONTAINERS and not hasattr(value, "__array__"):
        return None
    return Setting(*home, value, is_set)


def _find_home(name: str, owners: list[Any], steps: list[str]) -> tuple[str, bool, str] | None:
    """The name to begin with over there, whether that is a module's, and the way from it; None for what stays."""
    last = max((place for place, one in enumerate(owners) if isinstance(one, ModuleType)), default=-1)
    if last >= 0:
        module, way = owners[last].__name__, steps[last:]
    elif not isinstance(owners[0], (type, FunctionType)):
        return None
    elif owners[0].__module__ == "__main__":
        return (name, False, ".".join(steps)) if owners[0].__qualname__ == name else None
    else:
        module, way = owners[0].__module__, [*owners[0].__qualname__.split("."), *steps]
    path = ".".join(way)
    is_kept = module.partition(".")[0] in _OF_THE_PROCESS and f"{module}.{path}" not in _WANTED
    is_there = last >= 0 or _has(sys.modules.get(module), way[0])
    return None if is_kept or not is_there else (module, True, path)


def _get(owner: Any, name: str) -> Any:
    """An attribute as it lies there: no code of the user's runs, such as a property's."""
    found = vars(owner).get(name) if isinstance(owner, (ModuleType, type, FunctionType)) else None
    return found.__func__ if isinstance(found, (staticmethod, classmethod)) else found


def _has(owner: Any, name: str) -> bool:
    return isinstance(owner, (ModuleType, type, FunctionType)) and name in vars(owner)


def _list_changed(node: ast.AST) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield from _spell(node, True)
    elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        yield from _spell(node.value, False)
    elif isinstance(node, ast.AugAssign):
        yield from _spell(node.target, True)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield from _spell(node.func.value, False)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
        match node.args:
            case [owner, ast.Constant(value=str(name)), _]:
                yield from _spell(ast.Attribute(owner, name, ast.Store()), True)


def _spell(node: ast.AST, is_set: bool) -> Iterator[tuple[str, bool]]:
    """`a.b.c` of such an expression, from the name on; nothing for a lone name, and for what begins with anything else."""
    parts: list[str] = []
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Subscript):
            parts, is_set = [], False
        else:
            parts.insert(0, node.attr)
        node = node.value
    if isinstance(node, ast.Name) and parts:
        yield ".".join([node.id, *parts]), is_set
