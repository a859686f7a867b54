"""What expressions may be.

Called by `machine.evaluate`. A kind of expression that is not known is opaque, but its parts are walked: they may read.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import attributes, operators, statements
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.definitions import make_function, use
from choline_jupyter.capture.foresight.value import (
    ANY,
    LIMIT,
    UNKNOWN,
    Items,
    Opaque,
    Scope,
    Table,
    Value,
    concatenate,
    find_truth,
    make_items,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_BUILTINS = frozenset(dir(builtins)) | {"get_ipython"}


def evaluate(machine: Machine, node: ast.AST, scope: Scope) -> Value:
    """What an expression may be."""
    found = _EVALUATIONS.get(type(node))
    if found is not None:
        return found(machine, node, scope)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            machine.evaluate(child, scope)
    return UNKNOWN


def look_up(machine: Machine, name: str, scope: Scope) -> Value:
    """What a name is, from the innermost scope outwards; then what the notebook holds."""
    home: Scope | None = scope.declared.get(name, scope)
    while home is not None:
        if name in home.names:
            return home.names[name]
        home = home.parent
    if name in {"__name__", "__file__"}:
        return _special(scope, name)
    live = None if scope.module.path else machine.look_up_live(name)
    if live is not None:
        scope.module.scope.names[name] = live
        return live
    return (Opaque(name),) if name in _BUILTINS else UNKNOWN


def _special(scope: Scope, name: str) -> Value:
    if name == "__name__":
        return (scope.module.name,)
    return (scope.module.path,) if scope.module.path else UNKNOWN


def _constant(machine: Machine, node: ast.Constant, scope: Scope) -> Value:
    if isinstance(node.value, str):
        machine.record.note_literal(node.value, machine.why("named"))
        return (node.value,) if len(node.value) < 4000 else UNKNOWN
    if isinstance(node.value, (int, float, bool)) or node.value is None:
        return (node.value,)
    return UNKNOWN


def _name(machine: Machine, node: ast.Name, scope: Scope) -> Value:
    value = look_up(machine, node.id, scope)
    if not machine.record.is_muted:
        use(machine, value)
    return value


def _attribute(machine: Machine, node: ast.Attribute, scope: Scope) -> Value:
    owners = machine.evaluate(node.value, scope)
    return unite(*(attributes.get(machine, owner, node.attr) for owner in owners)) or UNKNOWN


def _call(machine: Machine, node: ast.Call, scope: Scope) -> Value:
    targets = machine.evaluate(node.func, scope)
    if len(machine.stack) < 2:
        machine.line = node.lineno
    args: list[Value] = []
    for each in node.args:
        if isinstance(each, ast.Starred):
            args += make_items(machine.evaluate(each.value, scope)).elements
        else:
            args.append(machine.evaluate(each, scope))
    kwargs: dict[str, Value] = {}
    for keyword in node.keywords:
        value = machine.evaluate(keyword.value, scope)
        if keyword.arg:
            kwargs[keyword.arg] = value
        else:
            tables = (each.entries for each in value if isinstance(each, Table))
            kwargs.update({key: each for table in tables for key, each in table.items() if isinstance(key, str)})
    return unite(*(machine.call(each, Call("", args, kwargs, node, scope)) for each in targets)) or UNKNOWN


def _binary(machine: Machine, node: ast.BinOp, scope: Scope) -> Value:
    left, right = machine.evaluate(node.left, scope), machine.evaluate(node.right, scope)
    return operators.combine(machine, node.op, left, right)


def _joined(machine: Machine, node: ast.JoinedStr, scope: Scope) -> Value:
    pieces: list[list[str]] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            pieces.append([str(part.value)])
        elif isinstance(part, ast.FormattedValue):
            value = machine.evaluate(part.value, scope)
            spec = _read_spec(part.format_spec)
            for each in value:
                if isinstance(each, str):
                    machine.record.consume(each)
            pieces.append(operators.format_value(value, spec))
    return tuple(concatenate(pieces))


def _read_spec(node: ast.expr | None) -> str:
    if node is None:
        return ""
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return "".join(str(each.value) if isinstance(each, ast.Constant) else ANY for each in parts)


def _sequence(machine: Machine, node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Value:
    elements: list[Value] = []
    is_open = False
    for each in node.elts:
        if isinstance(each, ast.Starred):
            inner = make_items(machine.evaluate(each.value, scope))
            elements += inner.elements
            is_open |= inner.is_open
        else:
            elements.append(machine.evaluate(each, scope))
    return (Items(elements, is_open),)


def _dictionary(machine: Machine, node: ast.Dict, scope: Scope) -> Value:
    made = Table()
    for key, each in zip(node.keys, node.values, strict=True):
        value = machine.evaluate(each, scope)
        if key is None:
            for inner in value:
                if isinstance(inner, Table):
                    made.entries.update(inner.entries)
        else:
            statements.set_item(machine, made, machine.evaluate(key, scope), value)
    return (made,)


def _condition(machine: Machine, node: ast.IfExp, scope: Scope) -> Value:
    truth = find_truth(machine.evaluate(node.test, scope))
    if truth is not None:
        return machine.evaluate(node.body if truth else node.orelse, scope)
    return unite(machine.evaluate(node.body, scope), machine.evaluate(node.orelse, scope))


def _boolean(machine: Machine, node: ast.BoolOp, scope: Scope) -> Value:
    """`or` and `and` give one of their operands; the ones behind a sure answer are not reached."""
    stops_at = isinstance(node.op, ast.Or)
    found: list[Value] = []
    for each in node.values:
        value = machine.evaluate(each, scope)
        truth = find_truth(value)
        if truth is stops_at or each is node.values[-1]:
            return unite(*found, value)
        if truth is None:
            found.append(value)
    return UNKNOWN


def _unary(machine: Machine, node: ast.UnaryOp, scope: Scope) -> Value:
    value = machine.evaluate(node.operand, scope)
    if isinstance(node.op, ast.Not):
        truth = find_truth(value)
        return UNKNOWN if truth is None else (not truth,)
    if isinstance(node.op, ast.USub) and all(type(each) in {int, float} for each in value):
        return tuple(-each for each in value)
    return UNKNOWN


def _compare(machine: Machine, node: ast.Compare, scope: Scope) -> Value:
    values = [machine.evaluate(each, scope) for each in (node.left, *node.comparators)]
    if len(node.ops) != 1:
        return UNKNOWN
    truth = operators.compare(node.ops[0], *values)
    return UNKNOWN if truth is None else (truth,)


def _subscript(machine: Machine, node: ast.Subscript, scope: Scope) -> Value:
    owners = machine.evaluate(node.value, scope)
    if isinstance(node.slice, ast.Slice):
        parts = node.slice.lower, node.slice.upper, node.slice.step
        bounds = [machine.evaluate(each, scope) if each else (None,) for each in parts]
        return unite(*(operators.cut(owner, bounds) for owner in owners))
    key = machine.evaluate(node.slice, scope)
    return unite(*(operators.get_item(machine, owner, key) for owner in owners)) or UNKNOWN


def _lambda(machine: Machine, node: ast.Lambda, scope: Scope) -> Value:
    return (make_function(machine, node, scope),)


def _walrus(machine: Machine, node: ast.NamedExpr, scope: Scope) -> Value:
    value = machine.evaluate(node.value, scope)
    statements.assign(machine, scope, node.target.id, value)
    return value


def _await(machine: Machine, node: ast.Await | ast.Starred, scope: Scope) -> Value:
    return machine.evaluate(node.value, scope)


def _yield(machine: Machine, node: ast.Yield, scope: Scope) -> Value:
    scope.yielded.append(machine.evaluate(node.value, scope) if node.value else (None,))
    return UNKNOWN


def _yield_from(machine: Machine, node: ast.YieldFrom, scope: Scope) -> Value:
    scope.yielded += make_items(machine.evaluate(node.value, scope)).elements
    return UNKNOWN


def _comprehension(machine: Machine, node: Any, scope: Scope) -> Value:
    inner = Scope(scope.module, scope, doubt=machine.doubt)
    inner.method = scope.method
    made = Items()
    _run_generators(
        machine, node.generators, inner, lambda: made.elements.append(machine.evaluate(node.elt, inner)), made
    )
    return (made,)


def _dictionary_comprehension(machine: Machine, node: ast.DictComp, scope: Scope) -> Value:
    inner = Scope(scope.module, scope, doubt=machine.doubt)
    inner.method = scope.method
    made = Table()

    def add() -> None:
        key = machine.evaluate(node.key, inner)
        statements.set_item(machine, made, key, machine.evaluate(node.value, inner))

    _run_generators(machine, node.generators, inner, add, Items())
    return (made,)


def _run_generators(
    machine: Machine, generators: list[ast.comprehension], scope: Scope, add: Callable[[], object], made: Items
) -> None:
    if not generators:
        add()
        return
    first, rest = generators[0], generators[1:]
    items = make_items(machine.evaluate(first.iter, scope))
    made.is_open |= items.is_open or len(items.elements) > LIMIT
    for element in statements.list_rounds(items):
        statements.bind(machine, first.target, element, scope)
        truths = [find_truth(machine.evaluate(test, scope)) for test in first.ifs]
        made.is_open |= None in truths
        if False not in truths:
            _run_generators(machine, rest, scope, add, made)


_EVALUATIONS: dict[type, Callable[[Any, Any, Scope], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.BinOp: _binary,
    ast.JoinedStr: _joined,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Set: _sequence,
    ast.Dict: _dictionary,
    ast.IfExp: _condition,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.Subscript: _subscript,
    ast.Lambda: _lambda,
    ast.NamedExpr: _walrus,
    ast.Await: _await,
    ast.Starred: _await,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _dictionary_comprehension,
}
