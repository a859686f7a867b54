"""`argparse` and its relatives: a script's options, from its defaults and the words behind its name.

Used by `library`. Where the words are not known, an option has its default, and a switch may be either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.value import (
    NOTHING,
    UNKNOWN,
    Class,
    Function,
    Items,
    Opaque,
    PathText,
    Table,
    Value,
    list_texts,
    make_items,
    show,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_SELF = frozenset({"add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "add_parser"})
_PARSES = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args", "parse"})


@dataclass(eq=False)
class _Option:
    flags: list[str]
    name: str
    default: Value
    action: str
    is_many: bool
    convert: Value


@dataclass(eq=False)
class SettingsParser:
    """A parser that gives objects of data classes, made with their defaults."""

    made: list[Value]

    def call(self, machine: Machine, call: Call) -> Value:
        """A method of the parser."""
        return (Items(list(self.made)),) if call.name.startswith("parse_") else UNKNOWN


@dataclass(eq=False)
class Parser:
    """An `ArgumentParser` with the options it has been given."""

    options: list[_Option] = field(default_factory=list)
    settings: dict[str, Value] = field(default_factory=dict)

    def call(self, machine: Machine, call: Call) -> Value:
        """A method of the parser."""
        if call.name == "add_argument":
            self._add(machine, call)
        elif call.name in _SELF:
            return (self,)
        elif call.name == "set_defaults":
            self.settings.update(call.kwargs)
        elif call.name in _PARSES:
            made = self.parse(machine, call)
            return (Items([(made,), (Items([], is_open=True),)]),) if call.name == "parse_known_args" else (made,)
        elif call.name == "get_default":
            names = [each for each in call.get(0) if isinstance(each, str)]
            return unite(*(option.default for option in self.options if option.name in names)) or UNKNOWN
        return UNKNOWN

    def _add(self, machine: Machine, call: Call) -> None:
        flags = [text for value in call.args for text in list_texts(value)]
        if not flags:
            return
        long = next((flag for flag in flags if flag.startswith("--")), flags[0])
        named = call.kwargs.get("dest")
        name = list_texts(named)[0] if named else long.lstrip("-").replace("-", "_")
        action = list_texts(call.kwargs["action"])[0] if "action" in call.kwargs else "store"
        default = call.kwargs.get("default") or {"store_true": (False,), "store_false": (True,)}.get(action, NOTHING)
        for each in default:
            machine.record.consume(show(each))  # the words behind the script may stand in its place
        many = call.kwargs.get("nargs", NOTHING)[0]
        is_many = many in {"+", "*"} or isinstance(many, int)
        self.options.append(_Option(flags, name, default, action, is_many, call.kwargs.get("type", ())))

    def parse(self, machine: Machine, call: Call) -> Table:
        """The options as an object."""
        given = call.get(0, "args")
        words = _list_words(given if given and given != NOTHING else machine.arguments, is_argv=given in {(), NOTHING})
        made = Table()
        for option in self.options:
            value = self.settings.get(option.name, option.default)
            if words is None and option.action in {"store_true", "store_false"}:
                value = unite(value, UNKNOWN)
            made.entries[option.name] = _convert(machine, option, value)
        made.entries.update({name: value for name, value in self.settings.items() if name not in made.entries})
        if words is not None:
            self._take_words(machine, words, made)
        return made

    def _take_words(self, machine: Machine, words: list[str], made: Table) -> None:
        flags = {flag: option for option in self.options for flag in option.flags if flag.startswith("-")}
        places = [option for option in self.options if not option.flags[0].startswith("-")]
        while words:
            word, equals, tail = words.pop(0).partition("=")
            option = flags.get(word)
            if option is None and word.startswith("-"):
                continue
            if option is None:
                if places:
                    option = places[0] if places[0].is_many else places.pop(0)
                    self._set(machine, option, [word + equals + tail], made)
            elif option.action in {"store_true", "store_false"}:
                made.entries[option.name] = (option.action == "store_true",)
            else:
                self._set(machine, option, [tail] if equals else _take(words, is_many=option.is_many), made)

    def _set(self, machine: Machine, option: _Option, texts: list[str], made: Table) -> None:
        values = [_convert(machine, option, (text,)) for text in texts]
        made.entries[option.name] = (Items(values),) if option.is_many else values[0] if values else UNKNOWN


def _take(words: list[str], *, is_many: bool) -> list[str]:
    taken: list[str] = []
    while words and (not taken or (is_many and not words[0].startswith("-"))):
        taken.append(words.pop(0))
    return taken


def _list_words(value: Value, *, is_argv: bool) -> list[str] | None:
    if len(value) == 1 and isinstance(value[0], str):
        return value[0].split()
    if len(value) != 1 or not isinstance(value[0], Items) or value[0].is_open:
        return None
    words = [list_texts(each)[0] for each in make_items(value).elements]
    return words[1:] if is_argv else words


def _convert(machine: Machine, option: _Option, value: Value) -> Value:
    """What `type=` makes of a text."""
    for kind in option.convert:
        if isinstance(kind, Opaque) and kind.name in {"int", "float"}:
            return tuple(
                int(each) if isinstance(each, str) and each.isdigit() and len(each) < 10 else each for each in value
            )
        if isinstance(kind, Opaque) and kind.name.endswith("Path"):
            return tuple(PathText(each) if isinstance(each, str) else each for each in value)
        if isinstance(kind, Function) and all(isinstance(each, str) for each in value):
            return machine.call(kind, Call("", [value], {}, None))
    return value


def _make(machine: Machine, call: Call) -> Value:
    return (Parser(),)


def _make_of_classes(machine: Machine, call: Call) -> Value:
    """`transformers.HfArgumentParser((A, B))`: one object of each data class."""
    kinds = call.get(0, "dataclass_types")
    inner = [each for value in make_items(kinds).elements for each in value] if not _is_class(kinds) else list(kinds)
    made = [machine.call(each, Call("", [], {}, call.node)) for each in inner]
    return (SettingsParser(made),)


def _is_class(value: Value) -> bool:
    return all(isinstance(each, Class) for each in value)


def _define_flag(machine: Machine, call: Call) -> Value:
    """`flags.DEFINE_string("name", default, help)` of absl, gflags and TensorFlow, and what the command line says of it."""
    names, default = list_texts(call.get(0, "name")), call.get(1, "default", "default_value") or UNKNOWN
    parser, name = Parser(), names[0]
    parser.options.append(_Option([f"--{name}", f"-{name}"], name, default, "store", False, _TYPES.get(call.last, ())))
    for each in default:
        machine.record.consume(show(each))
    value = parser.parse(machine, Call("", [], {})).entries[name]
    machine.flags.entries[name] = value
    return (Table({"value": value, "default": default}),)


_TYPES: dict[str, Value] = {"DEFINE_integer": (Opaque("int"),), "DEFINE_float": (Opaque("float"),)}
_DEFINES = [f"*.DEFINE_{kind}" for kind in ("string", "integer", "float", "bool", "boolean", "enum", "list")]
HANDLERS: dict[str, Callable[[Any, Call], Value]] = {
    "transformers.HfArgumentParser": _make_of_classes,
    **dict.fromkeys(["argparse.ArgumentParser", "configargparse.ArgParser", "jsonargparse.ArgumentParser"], _make),
    **dict.fromkeys(_DEFINES, _define_flag),
}
