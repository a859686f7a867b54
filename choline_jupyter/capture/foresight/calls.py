"""Calls: who is called, and with what.

Called by `machine.call`. The user's own functions are walked, methods of known values are computed, calls into libraries go
to the handler that knows them or to `library.call_unknown`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight.value import (
    UNKNOWN,
    Bound,
    Class,
    Function,
    Instance,
    Method,
    Opaque,
    Partial,
    Scope,
    Value,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine


@dataclass
class Call:
    """One call's arguments; `name` is the dotted name of what is called, where it is a library's."""

    name: str
    args: list[Value]
    kwargs: dict[str, Value]
    node: ast.Call | None = None
    scope: Scope | None = None

    def get(self, position: int, *names: str) -> Value:
        """An argument by its position or by one of its names; nothing if it is not given."""
        for name in names:
            if name in self.kwargs:
                return self.kwargs[name]
        return self.args[position] if 0 <= position < len(self.args) else ()

    @property
    def last(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    def named(self, name: str) -> Call:
        """The same arguments under another name."""
        return Call(name, self.args, self.kwargs, self.node, self.scope)


def call(machine: Machine, target: Any, call: Call) -> Value:
    """What a call gives."""
    from choline_jupyter.capture.foresight import definitions, library, methods

    if isinstance(target, Function):
        return definitions.call_function(machine, target, call.args, call)
    if isinstance(target, Method):
        return definitions.call_method(machine, target.owner, (target.function,), call.args, call)
    if isinstance(target, Partial):
        merged = Call("", [*target.args, *call.args], {**target.kwargs, **call.kwargs}, call.node, call.scope)
        return machine.call(target.target, merged)
    if isinstance(target, Class):
        return definitions.instantiate(machine, target, call)
    if isinstance(target, Instance):
        return _call_instance(machine, target, call)
    if isinstance(target, Bound):
        return methods.call(machine, target, call.named(target.name))
    if isinstance(target, Opaque):
        return library.call(machine, call.named(target.name))
    return UNKNOWN


def _call_instance(machine: Machine, target: Instance, call: Call) -> Value:
    from choline_jupyter.capture.foresight import definitions

    # A module of torch is called to run its `forward`.
    found = target.type.find("__call__") or target.type.find("forward") or target.type.find("call")
    return definitions.call_method(machine, target, found[0], call.args, call) if found else UNKNOWN
