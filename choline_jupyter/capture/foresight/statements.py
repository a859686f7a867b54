"""What statements do to names: assignments, branches, loops, imports, definitions.

Called by `machine`. A branch whose condition is known is the only one walked; where it is not, both are, and names keep
what they were besides what they get.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import definitions, imports
from choline_jupyter.capture.foresight.value import (
    LIMIT,
    UNKNOWN,
    Class,
    Instance,
    Items,
    Module,
    Scope,
    Table,
    Value,
    find_truth,
    make_items,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_EXISTENCE = frozenset({"exists", "isfile", "isdir", "is_file", "is_dir", "lexists", "access"})


def run_one(machine: Machine, node: ast.stmt, scope: Scope) -> str:
    """Walks one statement; says how the block ends with it, if it does for sure."""
    walk = _WALKS.get(type(node))
    return walk(machine, node, scope) if walk else ""


def assign(machine: Machine, scope: Scope, name: str, value: Value) -> None:
    """Gives a name a value; in an uncertain branch it may also keep what it has."""
    home = scope.declared.get(name, scope)
    if machine.doubt > home.doubt and name in home.names:
        value = unite(home.names[name], value)
    home.names[name] = value


def bind(machine: Machine, target: ast.AST, value: Value, scope: Scope) -> None:
    """Gives a target of any form a value."""
    if isinstance(target, ast.Name):
        assign(machine, scope, target.id, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for each, part in zip(target.elts, _take_apart(target.elts, value), strict=True):
            bind(machine, each.value if isinstance(each, ast.Starred) else each, part, scope)
    elif isinstance(target, ast.Attribute):
        for owner in machine.evaluate(target.value, scope):
            _set_attribute(machine, owner, target.attr, value)
    elif isinstance(target, ast.Subscript):
        key = machine.evaluate(target.slice, scope)
        for owner in machine.evaluate(target.value, scope):
            set_item(machine, owner, key, value)


def _take_apart(targets: list[ast.expr], value: Value) -> list[Value]:
    stars = [isinstance(each, ast.Starred) for each in targets]
    parts: list[list[Value]] = [[] for _ in targets]
    for alternative in value:
        known = alternative if isinstance(alternative, Items) and not alternative.is_open else None
        if known and len(known.elements) == len(targets) and not any(stars):
            for part, element in zip(parts, known.elements, strict=True):
                part.append(element)
        else:
            inner = make_items((alternative,))
            each = unite(*inner.elements) or UNKNOWN
            for part, is_star in zip(parts, stars, strict=True):
                part.append((Items([each], is_open=True),) if is_star else each)
    return [unite(*part) for part in parts]


def _set_attribute(machine: Machine, owner: Any, name: str, value: Value) -> None:
    names = attributes_of(owner)
    if names is not None:
        names[name] = unite(names[name], value) if machine.doubt and name in names else value


def attributes_of(owner: Any) -> dict[Any, Value] | None:
    """Where an object's own attributes are kept."""
    if isinstance(owner, Instance):
        return owner.attributes
    if isinstance(owner, (Module, Class)):
        return owner.scope.names
    return owner.entries if isinstance(owner, Table) else None


def set_item(machine: Machine, owner: Any, key: Value, value: Value) -> None:
    """`owner[key] = value`."""
    if isinstance(owner, Table):
        for each in key:
            if isinstance(each, (str, int, float, bool)) and len(owner.entries) < 5000:
                known = owner.entries.get(each, ()) if machine.doubt or len(key) > 1 else ()
                owner.entries[each] = unite(known, value)
            else:
                owner.rest = unite(owner.rest, value)
    elif isinstance(owner, Items) and len(owner.elements) < LIMIT:
        owner.elements.append(value)
        owner.is_open = True


def _walk_assign(machine: Machine, node: ast.Assign, scope: Scope) -> str:
    value = machine.evaluate(node.value, scope)
    for target in node.targets:
        bind(machine, target, value, scope)
    return ""


def _walk_annotated(machine: Machine, node: ast.AnnAssign, scope: Scope) -> str:
    if node.value is not None:
        bind(machine, node.target, machine.evaluate(node.value, scope), scope)
    return ""


def _walk_augmented(machine: Machine, node: ast.AugAssign, scope: Scope) -> str:
    load = ast.copy_location(_as_load(node.target), node)
    whole = ast.copy_location(ast.BinOp(load, node.op, node.value), node)
    bind(machine, node.target, machine.evaluate(whole, scope), scope)
    return ""


def _as_load(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    return target  # attributes and subscripts are evaluated alike, whatever their context


def _walk_expression(machine: Machine, node: ast.Expr, scope: Scope) -> str:
    if not isinstance(node.value, ast.Constant):  # a docstring names nothing
        machine.evaluate(node.value, scope)
        return "return" if _is_end(node.value) else ""
    return ""


def _is_end(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        return (node.func.value.id, node.func.attr) in {("sys", "exit"), ("os", "_exit")}
    return isinstance(node.func, ast.Name) and node.func.id in {"exit", "quit"}


def _walk_if(machine: Machine, node: ast.If, scope: Scope) -> str:
    truth = find_truth(machine.evaluate(node.test, scope))
    if truth is not None:
        return machine.run(node.body if truth else node.orelse, scope)
    with machine.doubting(is_guard=asks_existence(node.test)):
        ends = machine.run(node.body, scope), machine.run(node.orelse, scope)
    return ends[0] if ends[0] == ends[1] else ""


def asks_existence(test: ast.expr) -> bool:
    """Whether a condition asks if some file exists."""
    names = (each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in ast.walk(test))
    return any(name in _EXISTENCE for name in names)


def _walk_for(machine: Machine, node: ast.For | ast.AsyncFor, scope: Scope) -> str:
    items = make_items(machine.evaluate(node.iter, scope))
    for element in list_rounds(items):
        bind(machine, node.target, element, scope)
        ended = machine.run(node.body, scope)
        if ended == "return":
            return ended
        if ended == "break":
            return ""
    return machine.run(node.orelse, scope)


def list_rounds(items: Items) -> list[Value]:
    """What a loop's variable is, round by round: one by one where they are few, else all at once."""
    if len(items.elements) <= LIMIT:
        return list(items.elements) or ([UNKNOWN] if items.is_open else [])
    return [unite(*items.elements)]


def _walk_while(machine: Machine, node: ast.While, scope: Scope) -> str:
    for _ in range(LIMIT):
        truth = find_truth(machine.evaluate(node.test, scope))
        if truth is False:
            break
        is_endless = isinstance(node.test, ast.Constant)
        ended = machine.run(node.body, scope)
        if ended == "return":
            return ended
        if ended == "break" or truth is None or is_endless:
            break
    return ""


def _walk_with(machine: Machine, node: ast.With | ast.AsyncWith, scope: Scope) -> str:
    """Where a manager changes the folder, that holds for the body: it is changed back behind it."""
    record = machine.record
    before, changes = record.directory, len(record.entered)
    for item in node.items:
        entered = definitions.enter(machine, machine.evaluate(item.context_expr, scope))
        if item.optional_vars is not None:
            bind(machine, item.optional_vars, entered, scope)
    if len(record.entered) == changes:
        return machine.run(node.body, scope)
    record.directory = record.entered[changes]
    ended = machine.run(node.body, scope)
    record.directory = before
    return ended


def _walk_try(machine: Machine, node: Any, scope: Scope) -> str:
    ended = machine.run(node.body, scope)
    with machine.doubting():
        for handler in node.handlers:
            if handler.name:
                assign(machine, scope, handler.name, UNKNOWN)
            machine.run(handler.body, scope)
    if not ended:
        ended = machine.run(node.orelse, scope)
    return machine.run(node.finalbody, scope) or (ended if not node.handlers else "")


def _walk_match(machine: Machine, node: ast.Match, scope: Scope) -> str:
    machine.evaluate(node.subject, scope)
    with machine.doubting():
        for case in node.cases:
            for pattern in ast.walk(case.pattern):
                name = getattr(pattern, "name", None)
                if isinstance(name, str):
                    assign(machine, scope, name, UNKNOWN)
            machine.run(case.body, scope)
    return ""


def _walk_return(machine: Machine, node: ast.Return, scope: Scope) -> str:
    scope.returned.append(machine.evaluate(node.value, scope) if node.value else (None,))
    return "return"


def _walk_raise(machine: Machine, node: ast.Raise, scope: Scope) -> str:
    if node.exc:
        machine.evaluate(node.exc, scope)
    return "return"


def _walk_assert(machine: Machine, node: ast.Assert, scope: Scope) -> str:
    machine.evaluate(node.test, scope)
    return ""


def _walk_global(machine: Machine, node: ast.Global, scope: Scope) -> str:
    if scope is not scope.module.scope:
        scope.declared.update(dict.fromkeys(node.names, scope.module.scope))
    return ""


def _walk_nonlocal(machine: Machine, node: ast.Nonlocal, scope: Scope) -> str:
    for name in node.names:
        home = scope.parent
        while home is not None and name not in home.names:
            home = home.parent
        if home is not None:
            scope.declared[name] = home
    return ""


_WALKS: dict[type, Callable[[Any, Any, Scope], str]] = {
    ast.Assign: _walk_assign,
    ast.AnnAssign: _walk_annotated,
    ast.AugAssign: _walk_augmented,
    ast.Expr: _walk_expression,
    ast.If: _walk_if,
    ast.For: _walk_for,
    ast.AsyncFor: _walk_for,
    ast.While: _walk_while,
    ast.With: _walk_with,
    ast.AsyncWith: _walk_with,
    ast.Try: _walk_try,
    ast.Match: _walk_match,
    ast.Return: _walk_return,
    ast.Raise: _walk_raise,
    ast.Assert: _walk_assert,
    ast.Global: _walk_global,
    ast.Nonlocal: _walk_nonlocal,
    ast.Break: lambda machine, node, scope: "break",
    ast.Continue: lambda machine, node, scope: "continue",
    ast.Import: imports.walk_import,
    ast.ImportFrom: imports.walk_from,
    ast.FunctionDef: definitions.walk_function,
    ast.AsyncFunctionDef: definitions.walk_function,
    ast.ClassDef: definitions.walk_class,
}
if hasattr(ast, "TryStar"):
    _WALKS[ast.TryStar] = _walk_try
