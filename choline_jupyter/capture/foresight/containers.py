"""Methods of lists, sets and dictionaries.

Called by `methods`. A change in an uncertain branch leaves what was there beside what is new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.operators import get_item
from choline_jupyter.capture.foresight.statements import set_item
from choline_jupyter.capture.foresight.value import (
    LIMIT,
    UNKNOWN,
    Items,
    Table,
    Value,
    make_items,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_MOST = 2000


def call_items(machine: Machine, items: Items, call: Call) -> Value:
    """What a method of a list or set gives."""
    name = call.name
    if name in {"append", "add", "insert", "appendleft"}:
        _extend(machine, items, [call.get(1 if name == "insert" else 0) or UNKNOWN])
    elif name in {"extend", "update"}:
        more = make_items(call.get(0))
        _extend(machine, items, more.elements)
        items.is_open |= more.is_open
    elif name in {"pop", "popleft"}:
        return get_item(machine, items, call.get(0) or (-1,))
    elif name in {"copy", "__iter__", "tolist"}:
        return (Items(list(items.elements), items.is_open),)
    elif name in {"union", "intersection", "difference"}:
        return (Items([*items.elements, *make_items(call.get(0)).elements], is_open=True),)
    elif name == "__next__":
        return unite(*items.elements) or UNKNOWN
    elif name in {"remove", "clear", "discard"}:
        items.is_open = True
    return UNKNOWN


def _extend(machine: Machine, items: Items, more: list[Value]) -> None:
    items.is_open |= bool(machine.doubt)
    if len(items.elements) + len(more) <= _MOST:
        items.elements += more
    else:
        items.elements = [unite(*items.elements[-LIMIT:], *more)]
        items.is_open = True


def call_table(machine: Machine, table: Table, call: Call) -> Value:
    """What a method of a dictionary gives."""
    name = call.name
    if name in {"get", "pop"}:
        return _get(machine, table, call)
    if name == "setdefault":
        value = get_item(machine, table, call.get(0))
        if value == UNKNOWN:
            set_item(machine, table, call.get(0), call.get(1))
            value = call.get(1)
        return value or UNKNOWN
    if name == "update":
        for each in call.get(0):
            if isinstance(each, Table):
                table.entries.update(each.entries)
        table.entries.update(call.kwargs)
        return (None,)
    return _list(table, name)


def _get(machine: Machine, table: Table, call: Call) -> Value:
    """`get` with its default."""
    key = call.get(0)
    is_there = all(isinstance(each, (str, int)) and each in table.entries for each in key)
    default = call.get(1, "default") or ((None,) if call.name == "get" else ())
    if is_there:
        return get_item(machine, table, key)
    return default if not table.rest and all(isinstance(each, str) for each in key) else unite(default, UNKNOWN)


def _list(table: Table, name: str) -> Value:
    is_open = bool(table.rest)
    keys: list[Value] = [(key,) for key in table.entries]
    values = list(table.entries.values())
    if is_open:
        keys, values = [*keys, UNKNOWN], [*values, table.rest]
    if name == "keys":
        return (Items(keys, is_open),)
    if name == "values":
        return (Items(values, is_open),)
    if name == "items":
        return (Items([(Items([key, value]),) for key, value in zip(keys, values, strict=True)], is_open),)
    return (Table(dict(table.entries), table.rest),) if name == "copy" else UNKNOWN
