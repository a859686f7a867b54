"""Attributes of abstract values.

Called by `expressions` and `getattr`.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import definitions, imports
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.paths import get_parent, get_part
from choline_jupyter.capture.foresight.value import (
    UNKNOWN,
    Bound,
    Class,
    Content,
    Function,
    Instance,
    Items,
    Method,
    Module,
    Opaque,
    Partial,
    PathText,
    Table,
    Value,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

# Constants of the standard library that paths are made of or branches depend on.
_CONSTANTS: dict[str, Value] = {
    "os.sep": ("/",),
    "os.path.sep": ("/",),
    "os.curdir": (".",),
    "os.path.curdir": (".",),
    "os.pardir": ("..",),
    "os.path.pardir": ("..",),
    "os.linesep": ("\n",),
    "os.name": (os.name,),
    "sys.platform": (sys.platform,),
    "typing.TYPE_CHECKING": (False,),
}
_DICTIONARY = frozenset(dir(dict))
_COPIES = frozenset({"_replace", "copy", "model_copy", "replace", "evolve"})  # with the changes that keywords name


def get(machine: Machine, owner: Any, name: str) -> Value:
    """`owner.name`."""
    if isinstance(owner, Opaque):
        return _get_opaque(machine, owner, name)
    if isinstance(owner, Module):
        return _get_of_module(machine, owner, name)
    if isinstance(owner, Instance):
        return _get_of_instance(machine, owner, name)
    if isinstance(owner, Class):
        return _get_of_class(owner, name)
    if isinstance(owner, definitions.Base):
        return owner.find(name)
    if isinstance(owner, PathText):
        return _get_of_path(owner, name)
    if isinstance(owner, Table):
        return _get_of_table(owner, name)
    return _get_of_plain(owner, name)


def _get_of_table(owner: Table, name: str) -> Value:
    """Name spaces are tables too, so an entry comes before a method, but for the methods that all use."""
    if name in owner.entries and name not in {"items", "keys", "get", "update"}:
        return owner.entries[name]
    return (Bound(owner, name),) if name in _DICTIONARY else owner.rest or UNKNOWN


def _get_of_plain(owner: Any, name: str) -> Value:
    if isinstance(owner, Content) and name == "name":
        return (owner.path,)
    if isinstance(owner, Function):
        return (owner.name,) if name == "__name__" else UNKNOWN
    if isinstance(owner, str) and name == "value":  # a member of an enumeration is its value here
        return (owner,)
    if owner is None or isinstance(owner, (int, float)):
        return UNKNOWN
    return (Bound(owner, name),)


def _get_opaque(machine: Machine, owner: Opaque, name: str) -> Value:
    full = f"{owner.name}.{name}" if owner.name else f"?.{name}"
    if full == "sys.argv":
        return machine.arguments
    if full.endswith(f"flags.FLAGS.{name}"):
        return machine.flags.entries.get(name, (Opaque(full),))
    if full == "sys.path":
        return (Bound(Items(is_open=True), "sys.path"),)
    return _CONSTANTS.get(full, (Opaque(full),))


def _get_of_module(machine: Machine, owner: Module, name: str) -> Value:
    if name == "__file__":
        return (owner.path,) if owner.path else UNKNOWN
    if name == "__name__":
        return (owner.name,)
    if name == "__dict__":
        return (Table(owner.scope.names),)
    return imports.find_in(machine, owner, name)


def _get_of_instance(machine: Machine, owner: Instance, name: str) -> Value:
    if name in owner.attributes:
        return owner.attributes[name]
    if name == "__class__":
        return (owner.type,)
    if name == "__dict__":
        return (Table(owner.attributes),)
    found = owner.type.find(name)
    if found is None and name in _COPIES:
        return (Partial(Opaque("dataclasses.replace"), [(owner,)], {}),)
    if found is None:
        hook = owner.type.find("__getattr__")
        if hook:
            return definitions.call_method(machine, owner, hook[0], [(name,)], Call("", [], {}))
        foreign = next((base.name for base in owner.type.foreign), "?")
        return (Opaque(f"{foreign}.{name}"),)
    return unite(*(_bind(machine, owner, each) for each in found[0])) or UNKNOWN


def _bind(machine: Machine, owner: Instance, value: Any) -> Value:
    if not isinstance(value, Function):
        return (value,)
    if {"property", "cached_property"} & value.marks:
        return definitions.call_method(machine, owner, (value,), [], Call("", [], {}))
    if "classmethod" in value.marks:
        return (Method(owner.type, value),)
    return (value,) if "staticmethod" in value.marks else (Method(owner, value),)


def _get_of_class(owner: Class, name: str) -> Value:
    found = owner.find(name)
    if found is None:
        foreign = next((base.name for base in owner.foreign), "?")
        return (Opaque(f"{foreign}.{name}"),)
    return tuple(
        Method(owner, each) if isinstance(each, Function) and "classmethod" in each.marks else each for each in found[0]
    )


def _get_of_path(owner: PathText, name: str) -> Value:
    if name in {"name", "stem", "suffix", "anchor", "root"}:
        return (get_part(owner.text, name),)
    if name == "parent":
        return (PathText(get_parent(owner.text)),)
    if name == "parents":
        count = min(owner.text.count("/") + 1, 24)
        return (Items([(PathText(get_parent(owner.text, above)),) for above in range(1, count + 1)]),)
    if name == "parts":
        return (Items([(part,) for part in owner.text.split("/") if part]),)
    return (Bound(owner, name),)
