"""The inventory: which of a kernel's names are the user's, and of what kind each is, for a client that moves the session.

Called by `results` in the kernel's main thread. Nothing is encoded or run for it but looking at types.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from choline_jupyter.wire.value import Unsendable

MOST = 10_000  # names
_FIXED = (str, bytes, int, float, complex, type(None))  # cannot be changed in place


def list_inventory(namespace: Mapping[str, Any], hidden: Collection[str]) -> list[list[str]]:
    """`[name, kind, of]` of each: `of` is the name that an `alias` is another word for."""
    found: list[list[str]] = []
    seen: dict[int, str] = {}
    for name, value in list(namespace.items()):
        if name.startswith("_") or name in hidden or len(found) >= MOST:
            continue
        kind, of = _classify(namespace, name, value)
        if kind in ("data", "state", "iterator"):
            of = seen.setdefault(id(value), name)
            kind = kind if of == name else "alias"
        found.append([name, kind, of])
    return found


def has_state(value: Any) -> bool:
    """Whether it gives its state as data and takes it back, as torch's modules and optimizers do."""
    kind = type(value)
    return not isinstance(value, type) and hasattr(kind, "state_dict") and hasattr(kind, "load_state_dict")


def name_class(namespace: Mapping[str, Any], classes: Collection[str], kind: type) -> str:
    """The name that the other side has a class under; raises Unsendable."""
    name = kind.__qualname__
    if name not in classes or namespace.get(name) is not kind:
        raise Unsendable("an object of type %s, whose definition is in no cell" % name)
    return name


def _classify(namespace: Mapping[str, Any], name: str, value: Any) -> tuple[str, str]:
    if isinstance(value, ModuleType):
        return "module", ""
    home, path = getattr(value, "__module__", None), str(getattr(value, "__qualname__", ""))
    if isinstance(value, (FunctionType, type)) and home == "__main__":
        is_alias = path != name and namespace.get(path) is value
        return ("alias", path) if is_alias else ("definition", "")
    if isinstance(value, (FunctionType, BuiltinFunctionType, type)):
        return "import", ""
    if isinstance(value, _FIXED):
        return "fixed", ""
    if has_state(value):
        return "state", ""
    return ("iterator" if hasattr(value, "__next__") else "data"), ""
