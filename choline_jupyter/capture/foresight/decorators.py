"""Decorators: what they make of a function or a class.

Called by `definitions`. The user's own are called; of a library's, those that give options their defaults are read, and
the others are taken to hand the function on.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import configs
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.value import UNKNOWN, Class, Function, Opaque, Scope, Value

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_MARKS = frozenset({"property", "cached_property", "staticmethod", "classmethod"})
_HARMLESS = frozenset(
    [
        "lru_cache",
        "cache",
        "wraps",
        "contextmanager",
        "asynccontextmanager",
        "no_grad",
        "inference_mode",
        "jit",
        "njit",
        "overload",
        "abstractmethod",
        "dataclass",
        "total_ordering",
        "script",
        "compile",
        "singledispatch",
        "setter",
        "getter",
        "deleter",
        "fixture",
        "vectorize",
        "vmap",
    ]
)


def apply(machine: Machine, node: ast.expr, value: Value, made: Any, scope: Scope) -> Value:
    """What a decorated name is."""
    keywords: dict[str, Value] = {}
    found = machine.evaluate(node.func if isinstance(node, ast.Call) else node, scope)
    if isinstance(node, ast.Call) and any(isinstance(each, Opaque) for each in found):
        keywords = {each.arg: machine.evaluate(each.value, scope) for each in node.keywords if each.arg}
    elif isinstance(node, ast.Call):
        found = machine.evaluate(node, scope)
    for each in found:
        if isinstance(each, Opaque):
            _mark(machine, each.name, node, keywords, made, scope)
        else:
            return _decorate(machine, each, value)
    return value


def _decorate(machine: Machine, decorator: Any, value: Value) -> Value:
    made = machine.call(decorator, Call("", [value], {}, None))
    is_known = any(isinstance(each, (Function, Class)) for each in made)
    return made if is_known else value


def _mark(machine: Machine, name: str, node: ast.expr, keywords: dict[str, Value], made: Any, scope: Scope) -> None:
    last = name.rpartition(".")[2]
    if not isinstance(made, Function):
        return
    if last in _MARKS:
        made.marks |= {last}
    elif last in {"option", "argument"} and isinstance(node, ast.Call):
        _set_option(machine, node, keywords, made, scope)
    elif name.startswith("hydra.main"):
        configs.compose(machine, made, keywords)
        machine.hooked.append(made)
    elif last not in _HARMLESS:
        machine.hooked.append(made)


def _set_option(machine: Machine, node: ast.Call, keywords: dict[str, Value], made: Function, scope: Scope) -> None:
    """`@click.option("--data", default="data")`."""
    flags = [text for each in node.args for text in machine.evaluate(each, scope) if isinstance(text, str)]
    names = [flag for flag in flags if not flag.startswith("-")]
    names += sorted((flag for flag in flags if flag.startswith("-")), key=len, reverse=True)
    if names:
        name = names[0].partition("/")[0].lstrip("-").replace("-", "_")
        made.defaults.setdefault(name, keywords.get("default", UNKNOWN))
