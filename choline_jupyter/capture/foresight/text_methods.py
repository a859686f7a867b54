"""Methods of texts.

Called by `methods`. On a text that is wholly known they are Python's own; unknown pieces are kept where that is right.
"""

from __future__ import annotations

import re
import string
from itertools import product
from typing import TYPE_CHECKING

from choline_jupyter.capture.foresight.attributes import get
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.operators import format_value, get_item
from choline_jupyter.capture.foresight.value import (
    ANY,
    LIMIT,
    UNKNOWN,
    Items,
    Value,
    concatenate,
    list_texts,
    make_items,
    tidy,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

# These keep unknown pieces where they stand.
_SAFE_WITH_UNKNOWN = frozenset(
    {"replace", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "lower", "upper"}
)
_PLAIN = _SAFE_WITH_UNKNOWN | {"title", "capitalize", "casefold", "swapcase", "zfill", "ljust", "rjust", "center"}
_TESTS = frozenset(
    {"startswith", "endswith", "isdigit", "isalpha", "isalnum", "isnumeric", "islower", "isupper", "isidentifier"}
)
_BRACED = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_SPLITS = frozenset({"split", "rsplit", "splitlines", "partition", "rpartition"})


def call(machine: Machine, text: str, call: Call) -> Value:
    """What a method of one text gives."""
    if call.name == "join":
        return _join(machine, text, call)
    if call.name == "format":
        machine.record.consume(text)
        return tuple(_format(machine, text, call))
    if call.name in {"substitute", "safe_substitute"}:  # of a string.Template, which is its text here
        known = {key: value for each in call.get(0) for key, value in getattr(each, "entries", {}).items()}
        machine.record.consume(text)
        return tuple(_format(machine, _BRACED.sub(r"{\1\2}", text), Call("", [], {**known, **call.kwargs}, None)))
    if call.name in {"encode", "expandtabs", "copy"}:
        return (text,)
    if call.name == "format_map":
        tables = call.get(0)
        kwargs = tables[0].entries if tables and hasattr(tables[0], "entries") else {}
        return tuple(_format(machine, text, Call("", [], dict(kwargs), None)))
    found = [_call_plain(text, call.name, list(args)) for args in list(product(*call.args))[:LIMIT]]
    return unite(*found) or UNKNOWN


def _call_plain(text: str, name: str, args: list[object]) -> Value:
    is_plain = all(isinstance(each, (str, int)) or each is None or isinstance(each, Items) for each in args)
    if not is_plain or any(isinstance(each, int) and abs(each) > 200 for each in args):
        return (ANY,) if name in _PLAIN else UNKNOWN
    args = [tuple(_choices(each)) if isinstance(each, Items) else each for each in args]
    if name in _TESTS or name in _SPLITS or name in {"count", "find", "index"}:
        return _ask(text, name, args)
    if name not in _PLAIN or (ANY in text and name not in _SAFE_WITH_UNKNOWN):
        return (ANY,) if name in _PLAIN else UNKNOWN
    try:
        return (tidy(getattr(text, name)(*args)),)
    except (TypeError, ValueError):
        return UNKNOWN


def _choices(items: Items) -> list[str]:
    return [each for value in items.elements for each in value if isinstance(each, str)]


def _ask(text: str, name: str, args: list[object]) -> Value:
    if ANY in text:
        return _split_unknown(text, args) if name in {"split", "rsplit"} else _test_unknown(text, name, args)
    try:
        made = getattr(text, name)(*args)
    except (TypeError, ValueError):
        return UNKNOWN
    return (Items([(each,) for each in made]),) if isinstance(made, (list, tuple)) else (made,)


def _split_unknown(text: str, args: list[object]) -> Value:
    separator = args[0] if args and isinstance(args[0], str) else None
    if separator is None or len(args) > 1:
        return (Items([(ANY,)], is_open=True),)
    return (Items([(piece,) for piece in text.split(separator)], is_open=True),)


def _test_unknown(text: str, name: str, args: list[object]) -> Value:
    """Beginnings and ends that are known answer some questions about a text that is not."""
    if name in {"startswith", "endswith"} and args and isinstance(args[0], str):
        known = text.split(ANY, maxsplit=1)[0] if name == "startswith" else text.rsplit(ANY, maxsplit=1)[-1]
        if len(known) >= len(args[0]):
            return (bool(getattr(known, name)(args[0])),)
    return UNKNOWN


def _join(machine: Machine, separator: str, call: Call) -> Value:
    items = make_items(call.get(0))
    machine.record.consume(separator)
    if items.is_open or len(items.elements) > 100:
        return (ANY,)
    pieces: list[list[str]] = []
    for number, element in enumerate(items.elements):
        for text in element:
            if isinstance(text, str):
                machine.record.consume(text)
        pieces += [[separator]] * bool(number) + [list_texts(element)]
    return tuple(concatenate(pieces))


def _format(machine: Machine, text: str, call: Call) -> list[str]:
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError:
        return [ANY]
    pieces: list[list[str]] = []
    position = 0
    for literal, name, spec, _ in fields:
        pieces.append([literal])
        if name is None:
            continue
        value, position = _find_field(machine, name, position, call)
        for each in value:
            if isinstance(each, str):
                machine.record.consume(each)
        pieces.append(format_value(value, spec or ""))
    return concatenate(pieces)


def _find_field(machine: Machine, name: str, position: int, call: Call) -> tuple[Value, int]:
    first, *rest = re.split(r"(?=[.\[])", name)
    if not first:
        first, position = str(position), position + 1
    value = call.get(int(first)) if first.isdigit() and len(first) < 4 else call.kwargs.get(first, ())
    for part in rest:
        if part.startswith("."):
            value = unite(*(get(machine, each, part[1:]) for each in value))
        else:
            key = part[1:-1]
            value = unite(*(get_item(machine, each, (int(key) if key.isdigit() else key,)) for each in value))
    return value or UNKNOWN, position
