"""Plain data, of the live notebook or of a config file, as abstract values.

Used by `machine` and `configs`. Types are checked exactly, so that no method of the user's objects is ever called.
"""

from __future__ import annotations

import argparse
import pathlib
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from choline_jupyter.capture.foresight.value import LIMIT, UNKNOWN, Items, PathText, Table, Value, unite

_MOST = 5000
_DEEPEST = 6
_PATHS = (pathlib.PosixPath, pathlib.PurePosixPath)


def convert(data: object, depth: int = _DEEPEST) -> Value | None:
    """Data as a value; None for what is no plain data."""
    kind = type(data)
    if kind in {str, int, float, bool} or data is None:
        return (data,) if kind is not str or len(data) < 1000 else UNKNOWN  # type: ignore[arg-type]
    if kind in _PATHS:
        return (PathText(str(data)),)
    if kind is dict and depth:
        return _convert_table(data, depth)  # type: ignore[arg-type]
    if kind in {list, tuple, set} and depth:
        return _convert_items(list(data)[:_MOST], depth)  # type: ignore[call-overload]
    if kind in {argparse.Namespace, SimpleNamespace} and depth:
        return _convert_table(dict(object.__getattribute__(data, "__dict__")), depth)
    return None


def find_origin(held: object) -> tuple[str, str]:
    """The module that something comes from and its name there, which is empty for the module itself."""
    if type(held) is ModuleType:
        found: tuple[Any, Any] = ModuleType.__getattribute__(held, "__dict__").get("__name__"), ""
    elif type(held) is FunctionType:
        found = held.__module__, held.__qualname__
    elif type(held) is type:
        found = type.__getattribute__(held, "__dict__").get("__module__"), type.__getattribute__(held, "__name__")
    else:
        return "", ""
    return found if all(type(each) is str for each in found) and "<" not in found[1] else ("", "")


def _convert_table(data: dict[Any, Any], depth: int) -> Value:
    entries = {}
    for key, each in list(data.items())[:_MOST]:
        if type(key) in {str, int, float, bool}:
            entries[key] = convert(each, depth - 1) or UNKNOWN
    return (Table(entries),)


def _convert_items(data: list[Any], depth: int) -> Value:
    if len(data) <= LIMIT:
        return (Items([convert(each, depth - 1) or UNKNOWN for each in data]),)
    if all(type(each) is dict for each in data):
        return (Items([_merge(data, depth)], is_open=True),)
    texts = list(dict.fromkeys(each for each in data if type(each) in {str, *_PATHS}))
    others = [each for each in data[:LIMIT] if type(each) not in {str, *_PATHS}]
    return (Items([unite(*(convert(each, depth - 1) or UNKNOWN for each in [*texts, *others]))], is_open=True),)


def _merge(rows: list[dict[Any, Any]], depth: int) -> Value:
    """Many records as one, whose entries may be any of theirs."""
    columns: dict[str, list[Any]] = {}
    for row in rows[:1000]:
        for key, each in list(row.items())[:50]:
            if type(key) is str:
                columns.setdefault(key, []).append(each)
    merged = {}
    for key, values in columns.items():
        inner = _convert_items(values, depth - 1)[0].elements if depth > 1 else [UNKNOWN]
        merged[key] = unite(*inner) or UNKNOWN
    return (Table(merged),)
