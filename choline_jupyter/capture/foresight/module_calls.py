"""Calls that import or run code, and resources of packages.

Used by `library`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import imports
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.paths import get_parent, join_paths
from choline_jupyter.capture.foresight.value import (
    ANY,
    UNKNOWN,
    Items,
    Module,
    Opaque,
    PathText,
    Table,
    Value,
    list_texts,
    unite,
)

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine


def _import(machine: Machine, call: Call) -> Value:
    package = call.get(1, "package") if call.last == "import_module" else ()
    names = [text for text in list_texts(call.get(0, "name")) if text.strip(ANY)]
    return (
        unite(*(imports.import_text(machine, text, next(iter(list_texts(package)), "")) for text in names)) or UNKNOWN
    )


def _find_spec(machine: Machine, call: Call) -> Value:
    """`spec_from_file_location`: the module is walked as soon as its place is known."""
    found: list[Any] = []
    for text in list_texts(call.get(1, "location")):
        path = machine.record.locate(text)
        if ANY not in path and machine.disk.find_kind(path) == "file":
            module = machine.load(f"{list_texts(call.get(0, 'name'))[0]}@{path}", path)
            found.append(Table({"module": (module,), "loader": (Opaque("loader"),)}))
    return tuple(found) or UNKNOWN


def _from_spec(machine: Machine, call: Call) -> Value:
    return unite(*(each.entries.get("module", UNKNOWN) for each in call.get(0) if isinstance(each, Table))) or UNKNOWN


def _load_source(machine: Machine, call: Call) -> Value:
    """`SourceFileLoader(name, path).load_module()` and `runpy.run_path`."""
    texts = list_texts(call.get(0 if call.last == "run_path" else 1, "path", "path_name"))
    found = [machine.run_script(text, []) for text in texts if ANY not in text]
    return tuple(Table(module.scope.names) for module in found if module) or UNKNOWN


def _run_module(machine: Machine, call: Call) -> Value:
    for text in list_texts(call.get(0, "mod_name")):
        run_as_main(machine, text, [])
    return UNKNOWN


def run_as_main(machine: Machine, name: str, arguments: list[Value]) -> None:
    """`python -m name`."""
    files = machine.finder.find(name) if ANY not in name else []
    if not files and ANY not in name:
        return
    package = name if files and files[-1].endswith("/__init__.py") else name.rpartition(".")[0]
    if package:
        machine.import_module(package)
    start = machine.finder.find(f"{package}.__main__") if package == name else files
    if start and len(start) > name.count(".") and start[-1]:
        machine.run_script(start[-1], arguments)


def _find_resources(machine: Machine, call: Call) -> Value:
    """`importlib.resources.files(package)`."""
    found: list[Any] = []
    for each in call.get(0, "package", "anchor"):
        if isinstance(each, Module) and each.path:
            found.append(PathText(get_parent(each.path)))
        elif isinstance(each, str) and machine.finder.find(each):
            found.append(PathText(get_parent(machine.finder.find(each)[-1])))
    return tuple(found) or UNKNOWN


def _read_resource(machine: Machine, call: Call) -> Value:
    """`pkgutil.get_data`, `pkg_resources.resource_filename` and their like."""
    found = []
    for folder in _find_resources(machine, call):
        for text in list_texts(call.get(1)):
            if isinstance(folder, PathText):
                machine.record.consume(text)
                found.append(join_paths(folder.text, text))
                machine.record.read(found[-1], machine.why(f"{call.last}(...)"))
    return tuple(found) or UNKNOWN


def _get_frame_file(machine: Machine, call: Call) -> Value:
    """`inspect.getfile(inspect.currentframe())`."""
    path = call.scope.module.path if call.scope else ""
    return (path,) if path else UNKNOWN


def _register_path(machine: Machine, call: Call) -> Value:
    """`site.addsitedir` and `torch.hub.load(folder, ...)` with a local folder."""
    for text in list_texts(call.get(0)):
        path = machine.record.locate(text)
        if machine.disk.find_kind(path) == "folder":
            machine.finder.folders = [*machine.finder.folders, path]
    return UNKNOWN


def _walk_packages(machine: Machine, call: Call) -> Value:
    """`pkgutil.iter_modules`: what it finds is named by nobody."""
    return (Items([(Items([UNKNOWN, (ANY,), UNKNOWN]),)], is_open=True),)


HANDLERS: dict[str, Callable[[Any, Call], Value]] = {
    **dict.fromkeys(["importlib.import_module", "__import__"], _import),
    "importlib.util.spec_from_file_location": _find_spec,
    "importlib.util.module_from_spec": _from_spec,
    "importlib.machinery.SourceFileLoader": _load_source,
    "imp.load_source": _load_source,
    "runpy.run_path": _load_source,
    "runpy.run_module": _run_module,
    "importlib.reload": lambda machine, call: call.get(0) or UNKNOWN,
    "importlib.resources.files": _find_resources,
    "importlib_resources.files": _find_resources,
    "importlib.resources.as_file": lambda machine, call: call.get(0) or UNKNOWN,
    **dict.fromkeys(
        [
            "pkgutil.get_data",
            "pkg_resources.resource_filename",
            "pkg_resources.resource_string",
            "importlib.resources.read_text",
            "importlib.resources.open_text",
            "importlib.resources.path",
            "importlib.resources.open_binary",
        ],
        _read_resource,
    ),
    "inspect.getfile": _get_frame_file,
    "inspect.getsourcefile": _get_frame_file,
    "site.addsitedir": _register_path,
    "pkgutil.iter_modules": _walk_packages,
}
