"""Calls into libraries: handlers by dotted name, and what is assumed of every other function.

Called by `calls`. A function that nobody described reads the files that its arguments name, unless its name says that it
writes; whether such a file exists decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import (
    arguments,
    builtin_calls,
    commands,
    configs,
    datasets,
    definitions,
    file_calls,
    module_calls,
)
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.disk import has_magic, to_pattern
from choline_jupyter.capture.foresight.record import looks_like_file, looks_like_output
from choline_jupyter.capture.foresight.value import (
    ANY,
    UNKNOWN,
    Class,
    Content,
    Function,
    Instance,
    Items,
    Method,
    Opaque,
    PathText,
    Table,
    Value,
    make_items,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

Handler = Callable[[Any, Call], Value]
_BY_NAME: dict[str, Handler] = {
    **builtin_calls.HANDLERS,
    **file_calls.HANDLERS,
    **module_calls.HANDLERS,
    **commands.HANDLERS,
    **configs.HANDLERS,
    **arguments.HANDLERS,
}
# Names under which the same functions are known.
_ALIASES = {
    "posixpath.": "os.path.",
    "ntpath.": "os.path.",
    "simplejson.": "json.",
    "ujson.": "json.",
    "tomli.": "tomllib.",
}
_WRITES = re.compile(
    r"(?i)^(to_(?!tensor$|numpy$|list$|device$|dict$).*|save.*|.*_?save|write.*|.*writer|dump|export.*|savefig|imsave|imwrite|"
    r"mimsave|mimwrite|makedirs?|mkdir|mkdirs|rmtree|remove|unlink|rmdir|touch|tofile|urlretrieve|download.*|.*logger|.*filehandler|"
    r"basicconfig|modelcheckpoint|save_checkpoint|trainingarguments|.*trainer|tensorboard|extractall|extract|unpack_archive|make_archive)$"
)
_READS = re.compile(
    r"(?i)^(.*read.*|load.*|.*_load|open.*|.*_open|from_?file.*|from_pretrained|from_csv|from_json|genfromtxt|memmap|"
    r"imread.*|.*dataset.*|.*folder|file|h5file|zipfile|tarfile|videocapture|cascadeclassifier|yolo|parse.*|connect|"
    r"scan_.*|.*reader|restore|evaluate_word_pairs|latest_checkpoint|listdir|image|sentencepieceprocessor|get_data|.*loader)$"
)
_SILENT = re.compile(
    r"(?i)^(print|debug|info|warning|warn|error|exception|critical|log|add_argument|add_scalar|title|set_.*|x?y?label|suptitle|"
    r"startswith|endswith|split|strip|isinstance|hasattr|len|str|repr|getlogger|logger|event|skip|mark|fail|format|"
    r"set_title|text|annotate|display|markdown|html|style|use|ylabel|xlabel|legend|environ.*|setdefault|.*error|.*exception)$"
)
_QUERIES = frozenset({"sql", "execute", "executemany", "query", "read_sql", "read_sql_query", "scan"})
_QUOTED = re.compile(r"""['"]([^'"\n]{3,200})['"]""")
_MODE = re.compile(r"[rwax][bt]?\+?[bt]?\Z")
_MAPS = frozenset(
    {
        "map",
        "imap",
        "imap_unordered",
        "map_async",
        "starmap",
        "apply",
        "applymap",
        "filter",
        "thread_map",
        "process_map",
    }
)
_SUBMITS = frozenset({"submit", "apply_async", "Thread", "Process", "Timer", "spawn", "delayed"})


def call(machine: Machine, call: Call) -> Value:
    """What a call of a library's function gives."""
    name, handler = _find_handler(call.name)
    return handler(machine, call.named(name)) if handler is not None else call_unknown(machine, call)


@lru_cache(maxsize=4096)
def _find_handler(name: str) -> tuple[str, Handler | None]:
    for alias, true in _ALIASES.items():
        name = true + name[len(alias) :] if name.startswith(alias) else name
    return name, _BY_NAME.get(name) or _BY_NAME.get("*." + name.rpartition(".")[2])


@dataclass(frozen=True)
class _Manner:
    """What a function's name says of it."""

    is_silent: bool
    is_write: bool
    is_read: bool


@lru_cache(maxsize=4096)
def _judge(last: str) -> _Manner:
    return _Manner(bool(_SILENT.match(last)), bool(_WRITES.match(last)), bool(_READS.match(last)))


def call_unknown(machine: Machine, call: Call) -> Value:
    """A function that nobody described."""
    last = call.last
    if last in _MAPS or last in _SUBMITS:
        return _call_back(machine, call)
    if not _judge(last).is_silent:
        if datasets.read(machine, call):
            return (Opaque(call.name + "()"),)
        _touch_paths(machine, call)
    made = _make_settings(machine, call)
    if made:
        return made
    held = list(dict.fromkeys(_list_held(call)))[:20]
    for each in held:
        definitions.escape(machine, each)
    return (Opaque(f"{call.name}()" if len(call.name) < 200 else "", tuple(held)),)


def _list_held(call: Call) -> Iterator[Any]:
    """Objects of the user's code among the arguments, and what those of libraries hold already."""
    for value in [*call.args, *call.kwargs.values()]:
        for each in _spread(value):
            if isinstance(each, (Function, Method, Class, Instance)):
                yield each
            elif isinstance(each, Opaque):
                yield from each.holds


def _make_settings(machine: Machine, call: Call) -> Value:
    """Libraries that fill a data class from the command line are given the class and give an object of it."""
    classes = [
        each for value in [*call.args, *call.kwargs.values()] for each in _spread(value) if isinstance(each, Class)
    ]
    if len(classes) != 1 or not classes[0].fields or call.last in {"isinstance", "issubclass"}:
        return ()
    return definitions.instantiate(machine, classes[0], Call("", [], {}, call.node))


def _spread(value: Value, depth: int = 2) -> Iterator[Any]:
    for each in value:
        yield each
        if isinstance(each, Items) and depth:
            for element in each.elements[:50]:
                yield from _spread(element, depth - 1)
        elif isinstance(each, Table) and depth:
            for element in list(each.entries.values())[:50]:
                yield from _spread(element, depth - 1)


def _touch_paths(machine: Machine, call: Call) -> None:
    """Reads or writes what the arguments name."""
    mode = _get_mode(call)
    is_write = _judge(call.last).is_write or mode[:1] in {"w", "x"} or (mode[:1] == "a" and call.last != "File")
    is_read = _judge(call.last).is_read and not is_write
    for name, value in [*(("", each) for each in call.args), *call.kwargs.items()]:
        is_output = (
            is_write or looks_like_output(name) or name in {"project", "dst", "dest", "default_root_dir", "dirpath"}
        )
        for each in value if is_output else _spread(value):  # what a writer gets in tables is what it writes
            if isinstance(each, (str, PathText)):
                text = each if isinstance(each, str) else each.text
                if is_output:
                    _write(machine, text)
                elif text.strip(ANY):
                    _read(machine, text, call, is_read=is_read or isinstance(each, PathText))
                    if call.last in _QUERIES:
                        _read_quoted(machine, text, call)
            elif isinstance(each, Content) and not is_output:
                machine.record.read(each.path, machine.why(f"{call.last}(...)"))


def _get_mode(call: Call) -> str:
    for value in [call.kwargs.get("mode", ()), *call.args[1:3]]:
        for each in value:
            if isinstance(each, str) and _MODE.match(each):
                return each
    return ""


def _write(machine: Machine, text: str) -> None:
    if text.strip(ANY):
        machine.record.write(text, is_sure=not machine.guards)


def _read(machine: Machine, text: str, call: Call, *, is_read: bool) -> None:
    why = machine.why(f"{call.last}(...)")
    text = to_pattern(text) if is_read else text
    is_pattern = has_magic(text)
    if is_pattern and not is_read:
        return
    if not (is_read or looks_like_file(text)):
        return
    path = machine.record.locate(text)
    is_folder = bool(path) and not is_pattern and machine.disk.find_kind(path) == "folder"
    if is_folder and (
        looks_like_output(text) or machine.record.was_written(text) or not (is_read or "/" in text.strip("./"))
    ):
        return
    if machine.record.read(text, why) and not is_pattern and not is_folder:
        configs.read_names(machine, path)


def _read_quoted(machine: Machine, text: str, call: Call) -> None:
    """Files that a query names in quotes, as duckdb takes them."""
    for quoted in _QUOTED.findall(text):
        if looks_like_file(quoted):
            machine.record.read(to_pattern(quoted), machine.why(f"{call.last}(...)"), folders=False, listed=True)


def _call_back(machine: Machine, call: Call) -> Value:
    """`map(f, items)`, `pool.submit(f, ...)`, `Thread(target=f, args=...)`."""
    target = call.get(0, "target", "func", "function")
    if call.last == "delayed":
        return target or UNKNOWN
    if call.last in _MAPS and len(call.args) > 1:
        from choline_jupyter.capture.foresight.statements import list_rounds

        rows = [list_rounds(make_items(value)) for value in call.args[1:]]
        found = [_apply(machine, target, list(row)) for row in zip(*rows, strict=False)]
        if call.last == "filter":
            return (Items(rows[0], is_open=True),)
        return (Items(found, is_open=True),)
    words = call.kwargs.get("args")
    given = make_items(words).elements if words else call.args[1:]
    _apply(machine, target, list(given) if given or call.last not in _MAPS else [])
    return (Opaque(call.name + "()"),)


def _apply(machine: Machine, target: Value, args: list[Value]) -> Value:
    from choline_jupyter.capture.foresight.value import unite

    inner = Call("", args, {}, None)
    return unite(*(machine.call(each, inner) for each in target)) or UNKNOWN
