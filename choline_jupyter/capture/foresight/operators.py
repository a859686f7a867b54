"""Operators on abstract values: `+`, `%`, `/`, comparison, subscripts, and format specifications.

Called by `expressions` and the methods of texts. Nothing here can be made to grow without end by what the code says.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight.paths import join_paths
from choline_jupyter.capture.foresight.value import (
    ANY,
    LIMIT,
    UNKNOWN,
    Instance,
    Items,
    Opaque,
    PathText,
    Table,
    Value,
    concatenate,
    list_texts,
    make_items,
    show,
    tidy,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_SPEC = re.compile(r"(.?[<>=^])?[-+ ]?#?0?\d{0,2}[,_]?(\.\d{1,2})?[bdoxXeEfFgGns%]?\Z")
_CONVERSION = re.compile(r"%(?:\((\w+)\))?([-+ 0#]*\d{0,2}(?:\.\d{0,2})?)([diouxXeEfFgGcrsa%])")
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_ORDER: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_BIG = 10**12


def combine(machine: Machine, op: ast.operator, left: Value, right: Value) -> Value:
    """`left op right`."""
    found: list[Value] = []
    for one, other in list(product(left, right))[: LIMIT * LIMIT]:
        machine.budget.spend(1)
        found.append(_combine(machine, op, one, other))
    return unite(*found)


def _combine(machine: Machine, op: ast.operator, left: Any, right: Any) -> Value:
    if isinstance(op, ast.Div) and (isinstance(left, PathText) or isinstance(right, PathText)):
        if show(left) != ANY:
            machine.record.consume(show(right))
        machine.record.consume(show(left))
        return (PathText(join_paths(show(left), show(right))),)
    if isinstance(op, ast.Div) and isinstance(left, Opaque) and isinstance(right, str):
        return (PathText(join_paths(ANY, right)),)
    if isinstance(op, ast.Add) and isinstance(left, Items) and isinstance(right, Items):
        return (Items([*left.elements, *right.elements][:2000], left.is_open or right.is_open),)
    if isinstance(op, ast.BitOr) and isinstance(left, Table) and isinstance(right, Table):
        return (Table({**left.entries, **right.entries}, unite(left.rest, right.rest)),)
    if isinstance(op, ast.Mod) and isinstance(left, str):
        machine.record.consume(left)
        return tuple(format_percent(left, right))
    if isinstance(op, ast.Add) and (isinstance(left, str) or isinstance(right, str)):
        machine.record.consume(show(left))
        machine.record.consume(show(right))
        return (tidy(show(left) + show(right)),)
    return _calculate(op, left, right)


def _calculate(op: ast.operator, left: Any, right: Any) -> Value:
    work = _ARITHMETIC.get(type(op))
    if work is None or not all(isinstance(each, (int, float)) and abs(each) < _BIG for each in (left, right)):
        return UNKNOWN
    try:
        return (work(left, right),)
    except (ArithmeticError, ValueError):
        return UNKNOWN


def format_value(value: Value, spec: str) -> list[str]:
    """`format(value, spec)`."""
    if not spec:
        return list_texts(value)
    texts = []
    for each in value:
        is_plain = isinstance(each, (int, float)) or (isinstance(each, str) and ANY not in each)
        try:
            texts.append(format(each, spec) if is_plain and _SPEC.match(spec) else ANY)
        except (ValueError, TypeError, OverflowError):
            texts.append(ANY)
    return list(dict.fromkeys(texts))


def format_percent(text: str, argument: Any) -> list[str]:
    """`text % argument`."""
    values = list(argument.elements) if isinstance(argument, Items) else [(argument,)]
    pieces: list[list[str]] = []
    end = 0
    for found in _CONVERSION.finditer(text):
        pieces.append([text[end : found.start()]])
        end = found.end()
        name, flags, kind = found.groups()
        if kind == "%":
            pieces.append(["%"])
        elif name is not None:
            pieces.append(
                _convert(argument.entries.get(name, UNKNOWN) if isinstance(argument, Table) else UNKNOWN, flags, kind)
            )
        else:
            pieces.append(_convert(values.pop(0) if values else UNKNOWN, flags, kind))
    return concatenate([*pieces, [text[end:]]])


def _convert(value: Value, flags: str, kind: str) -> list[str]:
    texts = []
    for each in value:
        is_plain = isinstance(each, (int, float)) or (
            kind == "s" and not isinstance(each, (Opaque, Items, Table, Instance))
        )
        try:
            texts.append(
                f"%{flags}{kind}" % (each if isinstance(each, (int, float)) else show(each)) if is_plain else ANY
            )
        except (ValueError, TypeError, OverflowError):
            texts.append(ANY)
    return texts or [ANY]


def compare(op: ast.cmpop, left: Value, right: Value) -> bool | None:
    """Whether a comparison certainly holds, or certainly does not."""
    found = {_compare(op, one, other) for one, other in list(product(left, right))[:LIMIT]}
    return found.pop() if len(found) == 1 else None


def _compare(op: ast.cmpop, left: Any, right: Any) -> bool | None:
    if isinstance(op, (ast.Is, ast.IsNot)):
        same = _is_same(left, right)
        return same if same is None or isinstance(op, ast.Is) else not same
    if isinstance(op, (ast.Eq, ast.NotEq)):
        same = _is_equal(left, right)
        return same if same is None or isinstance(op, ast.Eq) else not same
    if isinstance(op, (ast.In, ast.NotIn)):
        inside = _is_in(left, right)
        return inside if inside is None or isinstance(op, ast.In) else not inside
    work = _ORDER.get(type(op))
    if work and all(isinstance(each, (int, float)) for each in (left, right)):
        return bool(work(left, right))
    return None


def _is_same(left: Any, right: Any) -> bool | None:
    if left is None and right is None:
        return True
    return (
        None if isinstance(left, Opaque) or isinstance(right, Opaque) or not (left is None or right is None) else False
    )


def _is_equal(left: Any, right: Any) -> bool | None:
    if not (_is_plain(left) and _is_plain(right)):
        return None
    return bool(left == right)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, PathText)) or value is None or (isinstance(value, str) and ANY not in value)


def _is_in(left: Any, right: Any) -> bool | None:
    if isinstance(right, str) and isinstance(left, str) and ANY not in left + right:
        return left in right
    if not _is_plain(left):
        return None
    if isinstance(right, Table):
        return True if left in right.entries else None if right.rest else False
    if not isinstance(right, Items):
        return None
    answers = {_is_equal(left, each[0]) if len(each) == 1 else None for each in right.elements}
    if True in answers:
        return True
    return None if None in answers or right.is_open else False


def get_item(machine: Machine, owner: Any, key: Value) -> Value:
    """`owner[key]`."""
    if isinstance(owner, Table):
        return _get_entry(owner, key)
    if isinstance(owner, (Items, str)):
        return unite(*(_get_element(owner, each) for each in key))
    if isinstance(owner, Instance):
        from choline_jupyter.capture.foresight.calls import Call
        from choline_jupyter.capture.foresight.definitions import call_method

        found = owner.type.find("__getitem__")
        if found:
            return call_method(machine, owner, found[0], [key], Call("", [key], {}, None))
        return unite(*(owner.attributes.get(each, ()) for each in key if isinstance(each, str))) or UNKNOWN
    inner = getattr(owner, "table", None)
    if isinstance(inner, Table):  # a parser of sections
        return _get_entry(inner, key)
    if isinstance(owner, Opaque) and owner.name == "os.environ":
        return unite(*(_get_variable(each) for each in key))
    return (Opaque(owner.name and owner.name + "[]"),) if isinstance(owner, Opaque) else UNKNOWN


def _get_variable(name: Any) -> Value:
    import os

    value = os.environ.get(name) if isinstance(name, str) and "\0" not in name else None
    return UNKNOWN if value is None else (value,)


def _get_entry(table: Table, key: Value) -> Value:
    found: list[Value] = []
    for each in key:
        if _is_plain(each) and each in table.entries:
            found.append(table.entries[each])
        elif _is_plain(each):
            found.append(table.rest)
        else:
            found += [*table.entries.values(), table.rest]
    return unite(*found) or UNKNOWN


def _get_element(owner: Items | str, key: Any) -> Value:
    if isinstance(owner, str):
        is_known = ANY not in owner and type(key) is int and -len(owner) <= key < len(owner)
        return (owner[key],) if is_known else (ANY,)
    if type(key) is int and not owner.is_open and -len(owner.elements) <= key < len(owner.elements):
        return owner.elements[key]
    return unite(*owner.elements) or UNKNOWN


def cut(owner: Any, bounds: list[Value]) -> Value:
    """`owner[a:b:c]`."""
    plain = [each[0] for each in bounds if len(each) == 1 and (each[0] is None or type(each[0]) is int)]
    if len(plain) != 3 or plain[2] == 0:
        return (Items(list(make_items((owner,)).elements), is_open=True),) if isinstance(owner, Items) else (ANY,)
    if isinstance(owner, Items) and not owner.is_open:
        return (Items(owner.elements[slice(*plain)]),)
    if isinstance(owner, Items):
        return (owner,)
    if isinstance(owner, str) and ANY not in owner:
        return (owner[slice(*plain)],)
    return (ANY,) if isinstance(owner, str) else UNKNOWN
