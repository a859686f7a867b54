"""Abstract values: what an expression may be, without running it.

A `Value` is a tuple of alternatives. Constants stand for themselves, a text may hold unknown pieces (`ANY`), and what is
not followed is `Opaque` with the dotted name it was reached by. Used by everything that evaluates.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

ANY = "\0"  # an unknown piece of a text
DEEP = "\1"  # any number of folders, as `**` is
LIMIT = 24  # alternatives of one value; more texts than this become one pattern
LONGEST = 4096

Value: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class PathText:
    """A `pathlib` path."""

    text: str


@dataclass(frozen=True)
class Opaque:
    """Something of a library, by its dotted name; with no name nothing is known of it.

    It may hold objects of the user's code, as a loader holds its data set, and use them when it is used.
    """

    name: str = ""
    holds: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Content:
    """An open file, or what was read from it."""

    path: str


@dataclass(frozen=True)
class Bound:
    """A method of a text, a path, a container or a parser."""

    receiver: Any
    name: str


@dataclass(eq=False)
class Items:
    """A list, tuple, set or iterator. An open one may hold more than is known."""

    elements: list[Value] = field(default_factory=list)
    is_open: bool = False


@dataclass(eq=False)
class Table:
    """A dictionary or a name space; `rest` is what entries under unknown keys may be."""

    entries: dict[Any, Value] = field(default_factory=dict)
    rest: Value = ()


@dataclass(eq=False)
class Scope:
    """The names of a module, a class body or one call of a function."""

    module: Module
    parent: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)
    doubt: int = 0  # how many uncertain branches stood around when it began
    declared: dict[str, Scope] = field(default_factory=dict)  # by `global` and `nonlocal`
    returned: list[Value] = field(default_factory=list)
    yielded: list[Value] = field(default_factory=list)
    method: tuple[Any, Class] | None = None  # `self` and the class, for `super()`


@dataclass(eq=False)
class Module:
    """A file of code, or the notebook."""

    name: str
    path: str = ""  # empty for a notebook
    label: str = ""
    is_package: bool = False
    scope: Scope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = Scope(self)


@dataclass(eq=False)
class Function:
    """A function or lambda with the scope it was made in and the values its defaults had then."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    defaults: dict[str, Value] = field(default_factory=dict)
    owner: Class | None = None
    marks: frozenset[str] = frozenset()  # property, staticmethod, classmethod
    calls: int = 0  # how often it has been walked

    @property
    def name(self) -> str:
        return getattr(self.node, "name", "lambda")


@dataclass(eq=False)
class Method:
    """A function bound to its first argument."""

    owner: Any
    function: Function


@dataclass(eq=False)
class Partial:
    """A callable with some of its arguments."""

    target: Any
    args: list[Value]
    kwargs: dict[str, Value]


@dataclass(eq=False)
class Class:
    """A class of the user's code."""

    name: str
    scope: Scope
    bases: list[Any] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)  # annotated names, in order

    def find(self, name: str) -> tuple[Value, Class] | None:
        """A name of this class or of its bases, and who has it."""
        for owner in self.lineage():
            if name in owner.scope.names:
                return owner.scope.names[name], owner
        return None

    def lineage(self) -> list[Class]:
        """Itself and its known bases, near ones first."""
        found: list[Class] = [self]
        for owner in found:  # grows while it is walked
            found += [base for base in owner.bases if isinstance(base, Class) and base not in found]
        return found

    @property
    def foreign(self) -> list[Opaque]:
        """Bases that come from libraries."""
        bases = [base for owner in self.lineage() for base in owner.bases]
        return [base for base in bases if isinstance(base, Opaque) and base.name != "object"]


@dataclass(eq=False)
class Instance:
    """An object of a class of the user's code."""

    type: Class
    attributes: dict[str, Value] = field(default_factory=dict)
    is_muted: bool = False  # made by an earlier cell, whose own reads do not count
    ran: set[int] = field(default_factory=set)  # its methods that have been walked for it, by id


UNKNOWN: Value = (Opaque(),)
NOTHING: Value = (None,)


def unite(*values: Value) -> Value:
    """What may be any of these; of too many texts the pattern they share."""
    found: dict[object, Any] = {}
    for value in values:
        for alternative in value:
            found.setdefault(_identity(alternative), alternative)
    return tuple(found.values()) if len(found) <= LIMIT else _narrow(list(found.values()))


def _identity(alternative: object) -> object:
    if isinstance(alternative, (str, int, float, PathText, Opaque, Content, Bound)) or alternative is None:
        return (type(alternative), alternative)
    return id(alternative)


def _narrow(alternatives: list[Any]) -> Value:
    texts = [each for each in alternatives if isinstance(each, str)]
    paths = [each.text for each in alternatives if isinstance(each, PathText)]
    others = [each for each in alternatives if not isinstance(each, (str, PathText))]
    if others and all(type(each) in {int, float} for each in others):
        others = [Opaque()]
    kept: list[Any] = [*([share(texts)] if texts else []), *([PathText(share(paths))] if paths else [])]
    return tuple(kept + others[: LIMIT - 2])


def share(texts: list[str]) -> str:
    """The pattern of many texts: what they begin and end with."""
    if len(texts) < 2:
        return texts[0]
    start = _find_start(texts)
    end = _find_start([text[len(start) :][::-1] for text in texts])[::-1]
    return start + ANY + end


def _find_start(texts: list[str]) -> str:
    """What all of them begin with: the first and the last in order differ the most."""
    first, last = min(texts), max(texts)
    length = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[:length]


def list_texts(value: Value) -> list[str]:
    """The texts that `str()` of a value may give; an unknown one is `ANY`."""
    found = dict.fromkeys(show(alternative) for alternative in value)
    return list(found)[:LIMIT] or [ANY]


def show(alternative: object) -> str:
    """`str()` of one alternative."""
    if isinstance(alternative, str):
        return alternative
    if isinstance(alternative, PathText):
        return alternative.text
    if isinstance(alternative, (int, float)) or alternative is None:
        return str(alternative)[:40]
    return ANY


def concatenate(pieces: Iterable[list[str]]) -> list[str]:
    """All texts made of one of each piece, in order."""
    made = [""]
    for piece in pieces:
        made = [tidy(start + end) for start in made for end in piece]
        made = made if len(made) <= LIMIT else [share(made)]
    return list(dict.fromkeys(made))


def tidy(text: str) -> str:
    """A text with unknown pieces side by side made one, and not without end."""
    while ANY + ANY in text:
        text = text.replace(ANY + ANY, ANY)
    return text if len(text) <= LONGEST else text[:64] + ANY


def find_truth(value: Value) -> bool | None:
    """Whether a value is certainly true or certainly false."""
    found = {_truth_of(alternative) for alternative in value}
    return found.pop() if len(found) == 1 else None


def _truth_of(alternative: object) -> bool | None:
    if isinstance(alternative, str):
        return bool(alternative) if alternative != ANY else None
    if isinstance(alternative, (int, float)) or alternative is None:
        return bool(alternative)
    if isinstance(alternative, Items):
        return bool(alternative.elements) if not alternative.is_open else None
    if isinstance(alternative, Table):
        return bool(alternative.entries) if not alternative.rest else None
    return None if isinstance(alternative, (Opaque, Content)) else True


def make_items(value: Value) -> Items:
    """The elements that a value has when it is iterated."""
    if len(value) == 1 and isinstance(value[0], Items):
        return value[0]
    if len(value) == 1 and isinstance(value[0], Table) and not value[0].rest:
        return Items([(key,) for key in value[0].entries])
    found = [_element_of(alternative) for alternative in value]
    return Items([unite(*found)] if found else [], is_open=True)


def _element_of(alternative: object) -> Value:
    if isinstance(alternative, Items):
        return unite(*alternative.elements) or UNKNOWN
    if isinstance(alternative, Table):
        return unite(*[(key,) for key in alternative.entries], UNKNOWN)
    return UNKNOWN
