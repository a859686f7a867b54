"""Python's own functions, and those of the standard library that build values rather than touch files.

Used by `library`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import attributes, definitions, statements
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.value import (
    ANY,
    LIMIT,
    UNKNOWN,
    Class,
    Content,
    Function,
    Instance,
    Items,
    Opaque,
    Partial,
    PathText,
    Scope,
    Table,
    Value,
    find_truth,
    list_texts,
    make_items,
    show,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine


def _str(machine: Machine, call: Call) -> Value:
    if not call.args:
        return ("",)
    return tuple(each if isinstance(each, Content) else show(each) for each in call.args[0])


def _number(machine: Machine, call: Call) -> Value:
    kind = int if call.name == "int" else float
    found: list[Any] = []
    for each in call.get(0):
        try:
            is_short = isinstance(each, (int, float)) or (isinstance(each, str) and len(each) < 30)
            found.append(kind(each) if is_short else Opaque())
        except (ValueError, OverflowError):
            found.append(Opaque())
    return tuple(dict.fromkeys(found)) or (0,)


def _bool(machine: Machine, call: Call) -> Value:
    truth = find_truth(call.get(0))
    return UNKNOWN if truth is None else (truth,)


def _list(machine: Machine, call: Call) -> Value:
    """`list`, `tuple`, `set`, `iter` and whatever else hands its elements on."""
    if not call.args:
        return (Items(),)
    items = make_items(call.args[0])
    return (Items(list(items.elements), items.is_open),)


def _sorted(machine: Machine, call: Call) -> Value:
    items = make_items(call.get(0))
    plain = [value[0] for value in items.elements if len(value) == 1 and isinstance(value[0], (str, int))]
    is_plain = len(plain) == len(items.elements) and len({type(each) for each in plain}) == 1 and not call.kwargs
    if call.name == "reversed":
        return (Items(list(reversed(items.elements)), items.is_open),)
    if is_plain and not items.is_open:
        return (Items([(each,) for each in sorted(plain)]),)
    return (Items(list(items.elements), is_open=True),)


def _dict(machine: Machine, call: Call) -> Value:
    made = Table()
    for each in call.get(0):
        if isinstance(each, Table):
            made.entries.update(each.entries)
            made.rest = unite(made.rest, each.rest)
        elif isinstance(each, Items):
            for pair in each.elements:
                for inner in pair:
                    if isinstance(inner, Items) and len(inner.elements) == 2:
                        statements.set_item(machine, made, *inner.elements)
        elif isinstance(each, Opaque):
            made.rest = UNKNOWN
    made.entries.update(call.kwargs)
    return (made,)


def _len(machine: Machine, call: Call) -> Value:
    value = call.get(0)
    each = value[0] if len(value) == 1 else None
    if isinstance(each, Items) and not each.is_open:
        return (len(each.elements),)
    if isinstance(each, str) and ANY not in each:
        return (len(each),)
    return (len(each.entries),) if isinstance(each, Table) and not each.rest else UNKNOWN


def _range(machine: Machine, call: Call) -> Value:
    bounds = [value[0] for value in call.args if len(value) == 1 and type(value[0]) is int]
    if len(bounds) != len(call.args) or not 1 <= len(bounds) <= 3 or (len(bounds) == 3 and bounds[2] == 0):
        return (Items([UNKNOWN], is_open=True),)
    numbers = range(*bounds)
    if max(map(abs, bounds)) < 10**9 and len(numbers) <= LIMIT:
        return (Items([(number,) for number in numbers]),)
    return (Items([UNKNOWN], is_open=True),)


def _enumerate(machine: Machine, call: Call) -> Value:
    items = make_items(call.get(0))
    if len(items.elements) > LIMIT or items.is_open:
        return (Items([(Items([UNKNOWN, unite(*items.elements) or UNKNOWN]),)], is_open=True),)
    first = call.get(1, "start") or (0,)
    start = first[0] if type(first[0]) is int else 0
    return (Items([(Items([(start + number,), value]),) for number, value in enumerate(items.elements)]),)


def _zip(machine: Machine, call: Call) -> Value:
    columns = [make_items(value) for value in call.args]
    if any(column.is_open for column in columns):
        row = [unite(*column.elements) or UNKNOWN for column in columns]
        return (Items([(Items(row),)], is_open=True),)
    rows = zip(*(column.elements for column in columns), strict=False)
    return (Items([(Items(list(row)),) for row in rows]),)


def _product(machine: Machine, call: Call) -> Value:
    """`itertools.product`, `chain` and their like: elements together, not which with which."""
    columns = [unite(*make_items(value).elements) or UNKNOWN for value in call.args]
    if call.last == "product":
        return (Items([(Items(columns),)], is_open=True),)
    return (Items([unite(*columns) or UNKNOWN], is_open=True),)


def _pick(machine: Machine, call: Call) -> Value:
    """`max`, `min`, `next`, `random.choice`: one of the elements."""
    if len(call.args) > 1 and call.last in {"max", "min"}:
        return unite(*call.args)
    found = unite(*make_items(call.get(0)).elements)
    return unite(found, *call.args[1:]) or UNKNOWN


def _getattr(machine: Machine, call: Call) -> Value:
    found: list[Value] = []
    for owner in call.get(0):
        for name in call.get(1):
            value = attributes.get(machine, owner, name) if isinstance(name, str) and ANY not in name else UNKNOWN
            names = statements.attributes_of(owner)
            is_missing = names is not None and name not in names and not isinstance(owner, (Instance, Class))
            found.append(call.get(2) if is_missing and call.get(2) else value)
    return unite(*found) or UNKNOWN


def _setattr(machine: Machine, call: Call) -> Value:
    for owner in call.get(0):
        names = statements.attributes_of(owner)
        for name in call.get(1):
            if names is not None and isinstance(name, str) and ANY not in name:
                names[name] = call.get(2) or UNKNOWN
    return (None,)


def _vars(machine: Machine, call: Call) -> Value:
    if call.args:
        found = [statements.attributes_of(owner) for owner in call.args[0]]
        return tuple(Table(names) for names in found if names is not None) or UNKNOWN
    scope = call.scope if call.name != "globals" else call.scope and call.scope.module.scope
    return (Table(scope.names),) if scope else UNKNOWN


def _exec(machine: Machine, call: Call) -> Value:
    scope = call.scope
    if scope is None:
        return UNKNOWN
    target = scope.module.scope if scope.parent is None or len(call.args) > 1 else scope
    for each in call.get(0):
        if isinstance(each, Content):
            machine.run_content(each.path, target)
        elif isinstance(each, str) and ANY not in each:
            _exec_text(machine, each, target)
    return UNKNOWN


def _exec_text(machine: Machine, code: str, scope: Scope) -> None:
    from choline_jupyter.capture.foresight.parse import parse_cell

    if len(machine.stack) < 10:
        machine.run(parse_cell(code).body, scope)


def _same(machine: Machine, call: Call) -> Value:
    """Functions that give back what they are given, as far as paths are concerned."""
    return call.get(0, "source", "text", "s") or UNKNOWN


def _literal(machine: Machine, call: Call) -> Value:
    import ast

    found: list[Value] = []
    for text in call.get(0):
        try:
            value = ast.literal_eval(text) if isinstance(text, str) and len(text) < 500 else None
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            # The user's code falls back on the text in such a case, or stops.
            value = text
        found.append((value,) if isinstance(value, (str, int, float)) or value is None else UNKNOWN)
    return unite(*found) or UNKNOWN


def _partial(machine: Machine, call: Call) -> Value:
    return tuple(Partial(target, call.args[1:], call.kwargs) for target in call.get(0))


def _field(machine: Machine, call: Call) -> Value:
    factory = call.get(-1, "default_factory", "factory")
    if factory:
        return (definitions.Factory([factory]),)
    default = call.get(0, "default") or UNKNOWN
    if not call.kwargs.get("converter") or any(isinstance(each, definitions.Factory) for each in default):
        return default
    return unite(*(machine.call(each, Call("", [default], {}, call.node)) for each in call.kwargs["converter"]))


def _factory(machine: Machine, call: Call) -> Value:
    """`attr.Factory(list)`."""
    return (definitions.Factory([call.get(0, "factory")]),)


def _replace(machine: Machine, call: Call) -> Value:
    """`dataclasses.replace(settings, name="other")` and its like: a copy with changes."""
    changes = dict(call.kwargs)
    for each in changes.pop("update", ()):
        changes.update(each.entries if isinstance(each, Table) else {})
    made = [definitions.copy(machine, each, changes) for each in call.get(0) if isinstance(each, Instance)]
    return tuple(made) or UNKNOWN


def _super(machine: Machine, call: Call) -> Value:
    return definitions.get_base(machine, call.scope) if call.scope else UNKNOWN


def _type(machine: Machine, call: Call) -> Value:
    return tuple(each.type for each in call.get(0) if isinstance(each, Instance)) or UNKNOWN


def _path(machine: Machine, call: Call) -> Value:
    """`Path(...)`."""
    from choline_jupyter.capture.foresight.paths import join_paths

    found = ["."] if not call.args else [""]
    for arg in call.args:
        for each in arg:
            if isinstance(each, str) and len(call.args) > 1:
                machine.record.consume(each)
        found = [join_paths(start, text) for start in found for text in list_texts(arg)][:LIMIT]
    return tuple(dict.fromkeys(PathText(text) for text in found))


def _callable(machine: Machine, call: Call) -> Value:
    return (True,) if all(isinstance(each, (Function, Class, Partial)) for each in call.get(0)) else UNKNOWN


def _join_words(machine: Machine, call: Call) -> Value:
    return tuple(" ".join(list_texts(each)[0] for each in make_items(call.get(0)).elements) for _ in (0,))


Handler = Callable[[Any, Call], Value]
_LIST_LIKE = [
    "list",
    "tuple",
    "set",
    "frozenset",
    "iter",
    "tqdm.tqdm",
    "tqdm.auto.tqdm",
    "tqdm.notebook.tqdm",
    "tqdm.trange",
    "collections.deque",
    "tqdm.tqdm_notebook",
    "rich.progress.track",
    "random.sample",
    "numpy.array",
    "numpy.asarray",
    "natsort.natsorted",
]
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_LIST_LIKE, _list),
    **dict.fromkeys(["*.tqdm"], _list),
    **dict.fromkeys(["sorted", "reversed", "natsort.natsorted"], _sorted),
    **dict.fromkeys(["max", "min", "next", "random.choice", "numpy.random.choice"], _pick),
    **dict.fromkeys(["itertools.product", "itertools.chain", "itertools.cycle", "itertools.islice"], _product),
    **dict.fromkeys(["dict", "collections.OrderedDict", "collections.defaultdict", "argparse.Namespace"], _dict),
    **dict.fromkeys(
        [
            "types.SimpleNamespace",
            "easydict.EasyDict",
            "box.Box",
            "ml_collections.ConfigDict",
            "omegaconf.OmegaConf.create",
        ],
        _dict,
    ),
    **dict.fromkeys(["globals", "vars", "locals"], _vars),
    **dict.fromkeys(["exec", "eval"], _exec),
    **dict.fromkeys(
        [
            "copy.copy",
            "copy.deepcopy",
            "compile",
            "os.fspath",
            "os.fsdecode",
            "typing.cast",
            "textwrap.dedent",
            "io.BytesIO",
            "io.StringIO",
            "sys.intern",
        ],
        _same,
    ),
    **dict.fromkeys(["int", "float"], _number),
    **dict.fromkeys([f"pathlib.{name}" for name in ("Path", "PosixPath", "PurePath", "PurePosixPath")], _path),
    "str": _str,
    "bool": _bool,
    "len": _len,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "getattr": _getattr,
    "setattr": _setattr,
    "super": _super,
    "type": _type,
    "callable": _callable,
    "ast.literal_eval": _literal,
    "functools.partial": _partial,
    "dataclasses.field": _field,
    "pydantic.Field": _field,
    **dict.fromkeys(["attr.ib", "attr.attrib", "attr.field", "attrs.field"], _field),
    **dict.fromkeys(["attr.Factory", "attrs.Factory"], _factory),
    **dict.fromkeys(["dataclasses.replace", "attr.evolve", "attrs.evolve", "copy.replace"], _replace),
    "string.Template": _same,
    "shlex.join": _join_words,
}
