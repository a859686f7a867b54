"""Functions and classes: how they are made, called, instantiated, and what of them runs without being called by name.

Called by `statements` and `calls`. A function that recurs, or is called very often, is not walked again.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import decorators
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.value import (
    UNKNOWN,
    Class,
    Content,
    Function,
    Instance,
    Items,
    Method,
    Opaque,
    Scope,
    Table,
    Value,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_MOST_CALLS = 120
_POST = ("__post_init__", "__attrs_post_init__", "model_post_init")
_RUN_UNSEEN = ("__len__", "__getitem__", "__iter__", "__next__", "__call__")  # what libraries call by themselves


def walk_function(machine: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> str:
    """`def`."""
    from choline_jupyter.capture.foresight.statements import assign

    function = make_function(machine, node, scope)
    value: Value = (function,)
    for decorator in reversed(node.decorator_list):
        value = decorators.apply(machine, decorator, value, function, scope)
    assign(machine, scope, node.name, value)
    return ""


def make_function(machine: Machine, node: Any, scope: Scope) -> Function:
    """A function with its defaults, from a `def` or a `lambda`."""
    arguments = node.args
    names = [each.arg for each in [*arguments.posonlyargs, *arguments.args]]
    pairs = list(zip(names[len(names) - len(arguments.defaults) :], arguments.defaults, strict=False))
    pairs += [
        (each.arg, default)
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default
    ]
    # The names of a class body are not seen by its methods.
    home = scope.parent if scope.method is not None and scope.method[0] is None else scope
    saved, machine.record.is_deaf = machine.record.is_deaf, True
    try:
        return Function(node, home or scope, {name: machine.evaluate(default, scope) for name, default in pairs})
    finally:
        machine.record.is_deaf = saved


def call_function(machine: Machine, function: Function, args: list[Value], call: Call, owner: Any = None) -> Value:
    """Walks a function's body with these arguments and gives what it returns."""
    function.calls += not machine.record.is_muted  # what an earlier cell has called may still be read for this one
    machine.budget.spend(10)
    if isinstance(owner, Instance) and not machine.record.is_muted:
        owner.ran.add(id(function))
    if machine.stack.count(function) > 1 or function.calls > _MOST_CALLS:
        return UNKNOWN
    scope = Scope(function.scope.module, function.scope, doubt=machine.doubt)
    scope.method = (owner, function.owner) if function.owner else None
    scope.names.update(_bind_arguments(function, args, call.kwargs))
    if isinstance(function.node, ast.Lambda):
        return machine.evaluate(function.node.body, scope)
    saved = machine.label, machine.line
    machine.stack.append(function)
    if function.scope.module.label:
        machine.label = function.scope.module.label
    try:
        ended = machine.run(function.node.body, scope)
    except RecursionError:
        return UNKNOWN
    finally:
        machine.stack.pop()
        machine.label, machine.line = saved
    if scope.yielded:
        return (Items([unite(*scope.yielded)], is_open=True),)
    return unite(*scope.returned, *([] if ended else [(None,)])) if scope.returned else (None,)


def _bind_arguments(function: Function, args: list[Value], kwargs: dict[str, Value]) -> dict[str, Value]:
    arguments = function.node.args
    names = [each.arg for each in [*arguments.posonlyargs, *arguments.args]]
    bound = dict(zip(names, args, strict=False))
    every = [*names, *(each.arg for each in arguments.kwonlyargs)]
    for name in every:
        if name in kwargs and name not in bound:
            bound[name] = kwargs[name]
        bound.setdefault(name, function.defaults.get(name, UNKNOWN))
    if arguments.vararg:
        bound[arguments.vararg.arg] = (Items(args[len(names) :]),)
    if arguments.kwarg:
        bound[arguments.kwarg.arg] = (Table({key: value for key, value in kwargs.items() if key not in every}),)
    return bound


def walk_class(machine: Machine, node: ast.ClassDef, scope: Scope) -> str:
    """`class`: its body runs now, in a scope of its own."""
    from choline_jupyter.capture.foresight.statements import assign

    made = Class(node.name, Scope(scope.module, scope, doubt=machine.doubt))
    made.bases = [each for base in node.bases for each in machine.evaluate(base, scope)[:1]]
    made.scope.method = (None, made)
    machine.run(node.body, made.scope)
    for name, value in made.scope.names.items():
        if name != "__name__":
            _adopt(made, value)
    made.scope.names.setdefault("__name__", (node.name,))
    made.fields = [
        each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    ]
    hook = next((base.find("__init_subclass__") for base in made.bases if isinstance(base, Class)), None)
    if hook:
        call_method(machine, made, hook[0], [], Call("", [], {}))
    whole: Value = (made,)
    for decorator in reversed(node.decorator_list):
        whole = decorators.apply(machine, decorator, whole, made, scope)
    assign(machine, scope, node.name, whole)
    return ""


def _adopt(owner: Class, value: Value) -> None:
    for each in value:
        if isinstance(each, Function) and each.owner is None and not isinstance(each.node, ast.Lambda):
            each.owner = owner


def instantiate(machine: Machine, made: Class, call: Call) -> Value:
    """An object of a class, its `__init__` walked."""
    instance = Instance(made, is_muted=machine.record.is_muted)
    if len(machine.instances) < 2000:
        machine.instances.append(instance)
    found = made.find("__init__")
    if found:
        call_method(machine, instance, found[0], call.args, call)
        post = None
    else:
        post = _fill_fields(machine, instance, call)
    if post:
        call_method(machine, instance, post[0], [], Call("", [], {}, call.node))
    return (instance,)


def _fill_fields(machine: Machine, instance: Instance, call: Call) -> tuple[Value, Class] | None:
    """A class without `__init__`: a data class, a named tuple or a child of a library's class."""
    made = instance.type
    names = [name for owner in reversed(made.lineage()) for name in owner.fields]
    bound = dict(zip(dict.fromkeys(names), call.args, strict=False)) | call.kwargs
    for name in dict.fromkeys(names):
        if name in bound:
            instance.attributes[name] = bound[name]
        else:
            found = made.find(name)
            instance.attributes[name] = _make_default(machine, found[0], call) if found else UNKNOWN
    for base in made.foreign:
        if not names:
            machine.call(base, call)
    return _find_post(made)


def _find_post(made: Class) -> tuple[Value, Class] | None:
    """What runs behind the `__init__` that a library makes."""
    return next(filter(None, map(made.find, _POST)), None)


def copy(machine: Machine, instance: Instance, changes: dict[str, Value]) -> Instance:
    """Another object like this one, but for some attributes."""
    made = Instance(instance.type, {**instance.attributes, **changes}, machine.record.is_muted)
    post = None if instance.type.find("__init__") else _find_post(instance.type)
    if post:
        call_method(machine, made, post[0], [], Call("", [], {}))
    return made


def _make_default(machine: Machine, value: Value, call: Call) -> Value:
    """`field(default_factory=...)` is called anew for each object; see the handler of `field`."""
    made = [
        machine.call(each.args[0][0], Call("", [], {}, call.node)) if isinstance(each, Factory) else (each,)
        for each in value
    ]
    return unite(*made)


class Factory:
    """What `field(default_factory=...)` gives."""

    def __init__(self, args: list[Value]) -> None:
        self.args = args


def call_method(machine: Machine, owner: Any, value: Value, args: list[Value], call: Call) -> Value:
    """Calls what a class has under a name, with its object before the other arguments."""
    found = []
    for each in value:
        if isinstance(each, Function):
            first: list[Value] = [] if "staticmethod" in each.marks else [(owner,)]
            found.append(call_function(machine, each, [*first, *args], call, owner))
        else:
            found.append(machine.call(each, call))
    return unite(*found)


def enter(machine: Machine, value: Value) -> Value:
    """What `with value as x` binds."""
    found = []
    for each in value:
        hook = each.type.find("__enter__") if isinstance(each, Instance) else None
        if hook:
            found.append(call_method(machine, each, hook[0], [], Call("", [], {}, None)))
        elif isinstance(each, Items) and each.elements and not isinstance(each, Content):
            found.append(unite(*each.elements))  # a generator made into a context manager
        else:
            found.append((each,))
    return unite(*found)


def use(machine: Machine, value: Value) -> None:
    """A name is used in code whose reads count: what earlier cells made comes to life."""
    for each in value:
        if isinstance(each, Instance):
            each.is_muted = False
        elif isinstance(each, Opaque) and each.holds:
            for held in each.holds:
                escape(machine, held)


def run_unseen(machine: Machine, instance: Instance) -> None:
    """The methods of an object that Python and libraries call by themselves."""
    for name in _RUN_UNSEEN:
        found = instance.type.find(name)
        for each in found[0] if found else ():
            if isinstance(each, Function) and id(each) not in instance.ran:
                call_function(machine, each, [(instance,)], Call("", [], {}, None), instance)


def escape(machine: Machine, value: Any, arguments: list[Value] | None = None) -> None:
    """A library got this and may call it: a function with what is known, an object's methods, a class."""
    if machine.record.is_muted:
        return
    empty = Call("", arguments or [], {}, None)
    if isinstance(value, (Function, Method)):
        function = value.function if isinstance(value, Method) else value
        if arguments is not None or not function.calls:
            machine.call(value, empty)
    elif isinstance(value, Class) and not value.fields:
        for made in instantiate(machine, value, empty):
            escape(machine, made)
    elif isinstance(value, Instance):
        _run_methods(machine, value)


def _run_methods(machine: Machine, instance: Instance) -> None:
    for owner in instance.type.lineage():
        for name, value in list(owner.scope.names.items()):
            for each in value:
                is_unseen = isinstance(each, Function) and id(each) not in instance.ran
                if is_unseen and each.owner is owner and (not name.startswith("_") or name in _RUN_UNSEEN):
                    call_function(machine, each, [(instance,)], Call("", [], {}, None), instance)


def get_base(machine: Machine, scope: Scope) -> Value:
    """`super()`: the object, seen as one of the class above."""
    holder: Scope | None = scope
    while holder is not None and holder.method is None:
        holder = holder.parent
    if holder is None or holder.method is None or holder.method[0] is None:
        return UNKNOWN
    return (Base(*holder.method),)


class Base:
    """What `super()` gives: an object and the class whose bases are searched."""

    def __init__(self, owner: Any, above: Class) -> None:
        self.owner = owner
        self.above = above

    def find(self, name: str) -> Value:
        """A name of the classes above, bound to the object."""
        for base in self.above.bases:
            found = base.find(name) if isinstance(base, Class) else None
            if found:
                return tuple(Method(self.owner, each) if isinstance(each, Function) else each for each in found[0])
        foreign = next((base.name for base in self.above.foreign), "")
        return (Opaque(f"{foreign}.{name}" if name != "__init__" else foreign),)
