"""Methods of values that are known: texts, paths, lists, dictionaries, open files.

Called by `calls`. A method of something unknown goes to `library`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from choline_jupyter.capture.foresight import arguments, configs, containers, library, path_methods, text_methods
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.value import (
    UNKNOWN,
    Bound,
    Content,
    Items,
    PathText,
    Table,
    Value,
    list_texts,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine


def call(machine: Machine, bound: Bound, call: Call) -> Value:
    """What a method gives."""
    receiver = bound.receiver
    if bound.name == "sys.path":
        return UNKNOWN
    if isinstance(receiver, Bound) and receiver.name == "sys.path":
        return _edit_search_path(machine, bound.name, call)
    if isinstance(receiver, str):
        return text_methods.call(machine, receiver, call)
    if isinstance(receiver, PathText):
        return path_methods.call(machine, receiver, call)
    if isinstance(receiver, Items):
        return containers.call_items(machine, receiver, call)
    if isinstance(receiver, Table):
        return containers.call_table(machine, receiver, call)
    if isinstance(receiver, (arguments.Parser, arguments.SettingsParser, configs.Sections)):
        return receiver.call(machine, call)
    if isinstance(receiver, Content):
        return _call_content(machine, receiver, call)
    return UNKNOWN


def _edit_search_path(machine: Machine, name: str, call: Call) -> Value:
    """`sys.path.insert(0, ...)` and `append`."""
    for text in list_texts(call.get(1 if name == "insert" else 0)):
        path = machine.record.locate(text)
        if machine.disk.find_kind(path) == "folder" and path not in machine.finder.folders:
            at = 0 if name == "insert" else len(machine.finder.folders)
            machine.finder.folders = [*machine.finder.folders[:at], path, *machine.finder.folders[at:]]
    return UNKNOWN


def _call_content(machine: Machine, content: Content, call: Call) -> Value:
    """An open file hands its content on; what is not reading is of no matter here."""
    if call.name in {"read", "decode", "strip", "getvalue", "encode", "__enter__"}:
        return (content,)
    if call.name in {"readlines", "splitlines", "split"}:
        return (Items([UNKNOWN], is_open=True),)
    if call.name in {"readline", "format", "replace"}:
        return UNKNOWN
    return library.call_unknown(machine, call) if call.name not in {"close", "write", "writelines", "seek"} else UNKNOWN
