"""Methods of `pathlib` paths.

Called by `methods`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import file_calls, library
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.paths import join_paths, normalise, replace_name, replace_suffix
from choline_jupyter.capture.foresight.value import (
    ANY,
    UNKNOWN,
    Items,
    PathText,
    Value,
    list_texts,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_WRITES = frozenset({"write_text", "write_bytes", "mkdir", "touch", "unlink", "rmdir", "symlink_to", "hardlink_to"})
_TESTS = frozenset({"exists", "is_file", "is_dir", "stat", "lstat"})
_SAME = frozenset({"absolute", "resolve", "expanduser", "as_posix", "__fspath__", "__str__"})


def call(machine: Machine, path: PathText, call: Call) -> Value:
    """What a method of one path gives."""
    name = call.name
    if name in _WRITES:
        machine.record.write(path.text, is_sure=not machine.guards)
        return UNKNOWN
    if name in _TESTS:
        return file_calls.test(machine, path.text, name, call)
    if name in _SAME:
        return (_make_same(machine, path, name),)
    method = _METHODS.get(name)
    return method(machine, path, call) if method else library.call_unknown(machine, call.named("?." + name))


def _make_same(machine: Machine, path: PathText, name: str) -> Any:
    if name in {"as_posix", "__fspath__", "__str__"}:
        return path.text
    if path.text.startswith((ANY, "~")) and name != "expanduser":
        return path
    return PathText(machine.record.locate(path.text) or path.text)


def _join(machine: Machine, path: PathText, call: Call) -> Value:
    found: list[str] = [path.text]
    for arg in call.args:
        for text in list_texts(arg):
            machine.record.consume(text)
        found = [join_paths(start, end) for start in found for end in list_texts(arg)][:24]
    return tuple(PathText(text) for text in found)


def _glob(machine: Machine, path: PathText, call: Call) -> Value:
    deep = "**/" if call.name == "rglob" else ""
    found = []
    for text in list_texts(call.get(0, "pattern")):
        machine.record.consume(text)
        found.append(file_calls.find_pattern(machine, join_paths(path.text, deep + text), call.name))
    return (Items([tuple(PathText(text) for text in found)], is_open=True),)


def _list(machine: Machine, path: PathText, call: Call) -> Value:
    file_calls.list_folder(machine, path.text, call.name)
    return (Items([(PathText(join_paths(path.text, ANY)),)], is_open=True),)


def _read(machine: Machine, path: PathText, call: Call) -> Value:
    return file_calls.read_content(machine, path.text, f"{call.name}()")


def _rename(machine: Machine, path: PathText, call: Call) -> Value:
    machine.record.read(path.text, machine.why("rename"))
    for text in list_texts(call.get(0, "target")):
        machine.record.write(text, is_sure=not machine.guards)
    return tuple(PathText(text) for text in list_texts(call.get(0, "target")))


def _open(machine: Machine, path: PathText, call: Call) -> Value:
    mode = call.get(0, "mode")
    return file_calls.open_file(machine, path.text, mode)


def _relative_to(machine: Machine, path: PathText, call: Call) -> Value:
    found = []
    for text in list_texts(call.get(0)):
        start = normalise(text).rstrip("/") + "/"
        found.append(PathText(path.text[len(start) :] if path.text.startswith(start) else ANY))
    return tuple(found)


def _with(machine: Machine, path: PathText, call: Call) -> Value:
    change = replace_suffix if call.name == "with_suffix" else replace_name
    if call.name == "with_stem":
        change = lambda text, stem: replace_name(text, stem + "." + text.rpartition(".")[2])  # noqa: E731
    texts = list_texts(call.get(0))
    return unite(*((PathText(change(path.text, text)),) for text in texts))


def _walk(machine: Machine, path: PathText, call: Call) -> Value:
    return file_calls.walk_folder(machine, path.text, call.name)


_METHODS: dict[str, Callable[[Any, PathText, Call], Value]] = {
    "joinpath": _join,
    "glob": _glob,
    "rglob": _glob,
    "iterdir": _list,
    "read_text": _read,
    "read_bytes": _read,
    "open": _open,
    "rename": _rename,
    "replace": _rename,
    "relative_to": _relative_to,
    "with_suffix": _with,
    "with_name": _with,
    "with_stem": _with,
    "walk": _walk,
    "is_absolute": lambda machine, path, call: (
        (path.text.startswith("/"),) if not path.text.startswith(ANY) else UNKNOWN
    ),
}
