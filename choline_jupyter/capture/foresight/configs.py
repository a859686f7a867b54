"""Config files: parsed where they are small, so that the paths they name are known.

Used by `library` and by the decorator of hydra. JSON and TOML by the standard library, YAML by `yaml_subset`.
"""

from __future__ import annotations

import configparser
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import yaml_subset
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.live import convert
from choline_jupyter.capture.foresight.operators import get_item
from choline_jupyter.capture.foresight.parse import read_text
from choline_jupyter.capture.foresight.paths import get_parent, join_paths
from choline_jupyter.capture.foresight.record import looks_like_output
from choline_jupyter.capture.foresight.value import (
    ANY,
    UNKNOWN,
    Content,
    Function,
    Items,
    PathText,
    Table,
    Value,
    list_texts,
    show,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_LARGEST = 256_000
_KINDS = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}
_ROOTS = ("path", "root", "data_root", "base_dir", "data_dir", "root_dir")


def parse(path: str, kind: str = "") -> Any:
    """A config file's data, None where it cannot be had."""
    kind = kind or next((each for ending, each in _KINDS.items() if path.endswith(ending)), "")
    text = read_text(path, _LARGEST) if kind else ""
    if not text:
        return None
    try:
        return _parse_text(text, kind)
    except (ValueError, TypeError, RecursionError, MemoryError, KeyError, IndexError):
        return None


def _parse_text(text: str, kind: str) -> Any:
    if kind == "json":
        return json.loads(text)
    if kind == "ini":
        return _parse_ini(text)
    if kind == "yaml":
        return yaml_subset.parse(text)
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]
    return tomllib.loads(text)


def _load(kind: str) -> Callable[[Any, Call], Value]:
    """A handler that parses what it is given: an open file, its content, a path or a text."""

    def handle(machine: Machine, call: Call) -> Value:
        return (
            unite(*(_load_one(machine, each, kind, call) for each in call.get(0, "f", "fp", "stream", "s"))) or UNKNOWN
        )

    return handle


def _load_one(machine: Machine, each: Any, kind: str, call: Call) -> Value:
    if isinstance(each, (str, PathText)) and call.last in {"loads", "safe_load", "load"}:
        text = each if isinstance(each, str) else each.text
        if (
            isinstance(each, str)
            and ANY not in each
            and call.last != "load"
            and "\n" in each + "\n"
            and len(each) > 200
        ):
            return UNKNOWN
        machine.record.read(text, machine.why(f"{call.last}(...)"), folders=False)
        path = machine.record.locate(text)
    elif isinstance(each, Content):
        path = each.path
    else:
        return UNKNOWN
    return load_value(machine, path, kind)


def load_value(machine: Machine, path: str, kind: str = "") -> Value:
    """A config file as a value."""
    data = parse(path, kind)
    machine.budget.spend(50)
    if data is None:
        return UNKNOWN
    for key, text in _list_scalars(data):
        if not looks_like_output(key):
            machine.record.note_literal(text, machine.why(f"named in {machine.name_of(path)},"))
    return convert(data) or UNKNOWN


def _list_scalars(data: Any, key: str = "", depth: int = 6) -> Iterator[tuple[str, str]]:
    if isinstance(data, str):
        yield key, data
    elif isinstance(data, dict) and depth:
        for name, each in list(data.items())[:500]:
            yield from _list_scalars(each, str(name), depth - 1)
    elif isinstance(data, list) and depth:
        for each in data[:500]:
            yield from _list_scalars(each, key, depth - 1)


def read_names(machine: Machine, path: str) -> None:
    """A library got this config file, and will read what it names: below the folder, the file's or the one it names."""
    data = parse(path)
    if not isinstance(data, dict):
        return
    roots = ["", get_parent(path)]
    named = next((data[key] for key in _ROOTS if isinstance(data.get(key), str)), "")
    roots += [join_paths(root, named) for root in roots if named]
    why = machine.why(f"named in {machine.name_of(path)},")
    for key, text in _list_scalars(data):
        if text == named or looks_like_output(key) or looks_like_output(text) or not text.strip("./"):
            continue
        for root in reversed(roots):
            place = join_paths(root, text) if root else text
            kind = machine.disk.find_kind(machine.record.locate(place))
            if kind == "file" or (kind == "folder" and "/" in place):
                machine.record.read(place, why)
                break


def compose(machine: Machine, function: Function, keywords: dict[str, Value]) -> None:
    """`@hydra.main`: the function's first argument is the config, composed of the groups that its defaults list names."""
    home = get_parent(function.scope.module.path) if function.scope.module.path else ""
    folder = join_paths(home, next(iter(list_texts(keywords.get("config_path", ()))), ""))
    name = next(iter(list_texts(keywords.get("config_name", ()))), "config")
    if ANY in folder + name:
        return
    data = _compose_one(machine, folder, name, 0)
    arguments = [each.arg for each in function.node.args.args]
    if arguments and data is not None:
        function.defaults[arguments[0]] = convert(data) or UNKNOWN


def _compose_one(machine: Machine, folder: str, name: str, depth: int) -> Any:
    path = join_paths(folder, name.removesuffix(".yaml") + ".yaml")
    machine.record.read(path, machine.why("config"), folders=False)
    data = parse(machine.record.locate(path), "yaml")
    if not isinstance(data, dict) or depth > 4:
        return data
    groups = data.pop("defaults", None)
    for entry in groups if isinstance(groups, list) else []:
        if isinstance(entry, dict):
            for group, choice in entry.items():
                inner = _compose_one(machine, join_paths(folder, str(group).split(" ")[-1]), str(choice), depth + 1)
                data.setdefault(str(group).split(" ")[-1], inner)
        elif isinstance(entry, str) and entry != "_self_":
            inner = _compose_one(machine, folder, entry, depth + 1)
            data = {**inner, **data} if isinstance(inner, dict) else data
    return data


@dataclass(eq=False)
class Sections:
    """A `configparser.ConfigParser`."""

    table: Table = field(default_factory=Table)

    def call(self, machine: Machine, call: Call) -> Value:
        """A method of the parser."""
        if call.name in {"read", "read_file"}:
            for each in call.get(0, "filenames"):
                self._read(machine, each)
        elif call.name in {"get", "getint", "getfloat", "getboolean"}:
            sections = get_item(machine, self.table, call.get(0, "section"))
            found = unite(*(get_item(machine, each, call.get(1, "option")) for each in sections))
            return found if found != UNKNOWN else unite(call.get(-1, "fallback"), UNKNOWN)
        elif call.name == "sections":
            return (Items([(name,) for name in self.table.entries]),)
        return UNKNOWN

    def _read(self, machine: Machine, each: Any) -> None:
        texts = (
            [text for value in each.elements for text in list_texts(value)] if isinstance(each, Items) else [show(each)]
        )
        for text in texts:
            machine.record.read(text, machine.why("config"), folders=False)
            path = each.path if isinstance(each, Content) else machine.record.locate(text)
            for value in load_value(machine, path, "ini"):
                if isinstance(value, Table):
                    self.table.entries.update(value.entries)


def _parse_ini(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(str(error)) from None
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _container(machine: Machine, call: Call) -> Value:
    return tuple(each for each in call.get(0) if isinstance(each, Table)) or UNKNOWN


HANDLERS: dict[str, Callable[[Any, Call], Value]] = {
    **dict.fromkeys(
        ["configparser.ConfigParser", "configparser.RawConfigParser", "configparser.SafeConfigParser"],
        lambda machine, call: (Sections(),),
    ),
    **dict.fromkeys(["json.load", "json.loads", "orjson.loads"], _load("json")),
    **dict.fromkeys(
        [
            "yaml.safe_load",
            "yaml.load",
            "yaml.full_load",
            "yaml.unsafe_load",
            "omegaconf.OmegaConf.load",
            "ruamel.yaml.safe_load",
            "YAML().load",
        ],
        _load("yaml"),
    ),
    **dict.fromkeys(["tomllib.load", "tomllib.loads", "toml.load", "toml.loads"], _load("toml")),
    **dict.fromkeys(
        ["omegaconf.OmegaConf.to_container", "omegaconf.OmegaConf.merge", "omegaconf.OmegaConf.structured"], _container
    ),
}
