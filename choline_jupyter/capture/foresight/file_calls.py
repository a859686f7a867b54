"""`open`, `os`, `os.path`, `glob`, `shutil` and their like: what they read, write, list and ask.

Used by `library` and by the methods of paths. Questions whether something exists are answered by this disk, so that the
code takes the branch here that it would take when it runs here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import paths
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.disk import to_pattern
from choline_jupyter.capture.foresight.operators import get_item
from choline_jupyter.capture.foresight.value import (
    ANY,
    DEEP,
    LIMIT,
    UNKNOWN,
    Content,
    Items,
    Opaque,
    PathText,
    Value,
    list_texts,
    make_items,
    show,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine


def open_file(machine: Machine, text: str, mode: Value) -> Value:
    """`open`: a read or a write by its mode."""
    modes = {each for each in mode if isinstance(each, str)} or {"r"}
    if all(each[:1] in {"w", "a", "x"} for each in modes):
        machine.record.write(text, is_sure=not machine.guards)
        return (Opaque("file"),)
    return read_content(machine, text, "open(...)")


def read_content(machine: Machine, text: str, what: str) -> Value:
    """A file is read; what it holds may be parsed or run later."""
    machine.record.read(text, machine.why(what), folders=False)
    path = machine.record.locate(text)
    return (Content(path),) if path and ANY not in path and DEEP not in path else UNKNOWN


def test(machine: Machine, text: str, name: str, call: Call) -> Value:
    """`exists` and its like, answered where the path is known and not of the code's own making."""
    path = machine.record.locate(text)
    if not path or ANY in path or DEEP in path or machine.record.was_written(text):
        return UNKNOWN
    kind = machine.disk.find_kind(path)
    if kind == "file":
        machine.record.read(text, machine.why(f"{name}(...)"), folders=False)
    wanted = {"is_file": {"file"}, "isfile": {"file"}, "is_dir": {"folder"}, "isdir": {"folder"}}
    if name in {"stat", "lstat", "getsize", "getmtime", "getctime"}:
        return UNKNOWN
    return (kind in wanted.get(name, {"file", "folder"}),)


def find_pattern(machine: Machine, text: str, what: str) -> str:
    """The code looks a pattern up; gives the pattern that stands for what it finds."""
    pattern = to_pattern(text)
    machine.record.read(pattern, machine.why(f"{what}(...)"), listed=True)
    return pattern


def list_folder(machine: Machine, text: str, what: str) -> None:
    """The code lists a folder, so all that is in it matters."""
    machine.record.read(text, machine.why(f"{what}(...)"))


def walk_folder(machine: Machine, text: str, what: str) -> Value:
    """`os.walk`."""
    list_folder(machine, text, what)
    bases: Value = (text, paths.join_paths(text, DEEP))
    names = Items([(ANY,)], is_open=True)
    return (Items([(Items([bases, (names,), (names,)]),)], is_open=True),)


def _open(machine: Machine, call: Call) -> Value:
    value = call.get(0, "file", "filename", "name")
    mode = call.get(1, "mode")
    return unite(*(_open_one(machine, each, mode) for each in value)) or UNKNOWN


def _open_one(machine: Machine, each: Any, mode: Value) -> Value:
    if isinstance(each, Content):
        return (each,)
    return open_file(machine, show(each), mode) if isinstance(each, (str, PathText)) else UNKNOWN


def _join(machine: Machine, call: Call) -> Value:
    found = [""]
    for arg in call.args:
        texts = list_texts(arg)
        for text in texts:
            if found != [ANY]:  # behind a folder that is not known, a text may still name a file from here
                machine.record.consume(text)
        found = [paths.join_paths(start, text) for start in found for text in texts][:LIMIT]
    return tuple(dict.fromkeys(found))


def _map(change: Callable[[Any, str], Any]) -> Callable[[Any, Call], Value]:
    """A handler that changes each text of the first argument."""

    def handle(machine: Machine, call: Call) -> Value:
        return unite(*((change(machine, text),) for text in list_texts(call.get(0, "path", "p", "filename"))))

    return handle


def _absolute(machine: Machine, text: str) -> str:
    return text if text.startswith(ANY) else machine.record.locate(text) or text


def _relative(machine: Machine, text: str) -> str:
    path = machine.record.locate(text)
    return os.path.relpath(path, machine.record.directory) if path and not text.startswith(ANY) else text


def _split(machine: Machine, text: str) -> Items:
    folder, _, name = text.rpartition("/")
    return Items([(folder,), (name,)])


def _split_extension(machine: Machine, text: str) -> Items:
    stem, extension = os.path.splitext(text)
    if not extension and text.endswith(ANY):
        return Items([(text,), (ANY,)])
    return Items([(stem,), (extension,)])


def _split_texts(machine: Machine, call: Call) -> Value:
    """What is cut in two is a name to be made into another; if it is opened too, that counts by itself."""
    for text in list_texts(call.get(0, "path", "p")):
        machine.record.consume(text)
    return _map(_split_extension)(machine, call)


def _expand(machine: Machine, text: str) -> str:
    return os.path.expandvars(text) if ANY not in text and "\0" not in text else text


def _ask(machine: Machine, call: Call) -> Value:
    texts = list_texts(call.get(0, "path", "filename"))
    answers = unite(*(test(machine, text, call.last, call) for text in texts))
    return answers or UNKNOWN


def _glob(machine: Machine, call: Call) -> Value:
    found = []
    for text in list_texts(call.get(0, "pathname")):
        machine.record.consume(text)
        found.append(find_pattern(machine, text, call.last))
    return (Items([tuple(found)], is_open=True),)


def _list(machine: Machine, call: Call) -> Value:
    for text in list_texts(call.get(0, "path") or (".",)):
        list_folder(machine, text, call.last)
    if call.last == "scandir":
        return (
            Items(
                [tuple(PathText(paths.join_paths(text, ANY)) for text in list_texts(call.get(0, "path")))], is_open=True
            ),
        )
    return (Items([(ANY,)], is_open=True),)


def _walk(machine: Machine, call: Call) -> Value:
    return unite(*(walk_folder(machine, text, call.last) for text in list_texts(call.get(0, "top"))))


def _change_directory(machine: Machine, call: Call) -> Value:
    texts = list_texts(call.get(0, "path"))
    path = machine.record.locate(texts[0])
    if len(texts) == 1 and ANY not in path and machine.disk.find_kind(path) == "folder":
        machine.record.directory = path
        machine.record.entered.append(path)
        machine.finder.folders = [*machine.finder.folders, path]
    return UNKNOWN


def _copy(machine: Machine, call: Call) -> Value:
    for text in list_texts(call.get(0, "src")):
        machine.record.read(text, machine.why(f"{call.last}(...)"))
    targets = call.get(1, "dst", "dest")
    for text in list_texts(targets):
        machine.record.write(text, is_sure=not machine.guards)
    return targets or UNKNOWN


def _pack(machine: Machine, call: Call) -> Value:
    """A file or folder goes into an archive."""
    for text in list_texts(call.get(0, "name", "filename")):
        machine.record.read(text, machine.why(f"{call.last}(...)"))
    return UNKNOWN


def _make_archive(machine: Machine, call: Call) -> Value:
    for text in list_texts(call.get(2, "root_dir")):
        machine.record.read(text, machine.why(f"{call.last}(...)"))
    for text in list_texts(call.get(0, "base_name")):
        machine.record.write(text + ANY, is_sure=not machine.guards)
    return UNKNOWN


def _write(machine: Machine, call: Call) -> Value:
    for text in list_texts(call.get(0, "path", "name")):
        machine.record.write(text, is_sure=not machine.guards)
    return UNKNOWN


def _variable(machine: Machine, call: Call) -> Value:
    found = [get_item(machine, Opaque("os.environ"), (name,)) for name in call.get(0, "key")]
    is_set = [value for value in found if value != UNKNOWN]
    return unite(*is_set) or call.get(1, "default") or (None,)


def _set_variable(machine: Machine, call: Call) -> Value:
    return call.get(1) or UNKNOWN


def _common_path(machine: Machine, call: Call) -> Value:
    texts = [text for value in make_items(call.get(0)).elements for text in list_texts(value)]
    try:
        return (os.path.commonpath(texts),) if texts else UNKNOWN
    except ValueError:  # some absolute, some not
        return UNKNOWN


Handler = Callable[[Any, Call], Value]
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(
        [
            "open",
            "io.open",
            "codecs.open",
            "gzip.open",
            "bz2.open",
            "lzma.open",
            "smart_open.open",
            "tf.io.gfile.GFile",
            "builtins.open",
            "fsspec.open",
        ],
        _open,
    ),
    **dict.fromkeys(
        [
            "os.path.exists",
            "os.path.isfile",
            "os.path.isdir",
            "os.path.lexists",
            "os.path.getsize",
            "os.path.getmtime",
            "os.stat",
            "os.path.getctime",
        ],
        _ask,
    ),
    **dict.fromkeys(["glob.glob", "glob.iglob"], _glob),
    **dict.fromkeys(["os.listdir", "os.scandir"], _list),
    **dict.fromkeys(
        ["shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.move", "os.rename", "os.replace"], _copy
    ),
    **dict.fromkeys(["shutil.copytree", "os.symlink", "os.link", "shutil.unpack_archive"], _copy),
    **dict.fromkeys(["tarfile.open().add", "tarfile.TarFile().add", "zipfile.ZipFile().write"], _pack),
    "shutil.make_archive": _make_archive,
    **dict.fromkeys(["os.makedirs", "os.mkdir", "os.remove", "os.unlink", "shutil.rmtree", "os.rmdir"], _write),
    **dict.fromkeys(["os.environ.get", "os.getenv"], _variable),
    "os.environ.setdefault": _set_variable,
    "os.path.join": _join,
    "os.path.dirname": _map(lambda machine, text: text.rpartition("/")[0]),
    "os.path.basename": _map(lambda machine, text: text.rpartition("/")[2]),
    "os.path.abspath": _map(_absolute),
    "os.path.realpath": _map(_absolute),
    "os.path.normpath": _map(lambda machine, text: paths.normalise(text)),
    "os.path.expanduser": _map(lambda machine, text: os.path.expanduser(text)),
    "os.path.expandvars": _map(_expand),
    "os.path.split": _map(_split),
    "os.path.splitext": _split_texts,
    "os.path.relpath": _map(_relative),
    "os.path.commonpath": _common_path,
    "os.walk": _walk,
    **dict.fromkeys(["os.chdir", "contextlib.chdir"], _change_directory),
    "os.getcwd": lambda machine, call: (machine.record.directory,),
    "pathlib.Path.cwd": lambda machine, call: (PathText(machine.record.directory),),
    "pathlib.Path.home": lambda machine, call: (PathText(os.path.expanduser("~")),),
}
