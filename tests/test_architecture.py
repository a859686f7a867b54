"""The shape of the code: who may import whom, how large a file may grow, what is never used."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_tree import (
    ROOT,
    imports_of,
    module_name,
    parse,
    part_of,
    python_modules,
    typescript_modules,
)

# From the user's side down. A part may import itself and every part of a lower layer, never one beside or above it.
LAYERS = (
    {"magic", "cli", "server", "export"},
    {"session"},
    # A provider hands out the transport to its machines, so it stands above it.
    {"capture", "providers"},
    {"transport", "store", "ledger"},
    {"wire"},
    {"model"},
)
# Parts that stand outside the layers, and what of ours they may import.
ALONE = {
    "errors": {"model"},
    "agent": {"wire", "store", "model"},
    "training": set(),
    "preload": set(),
    "__main__": {"cli"},
    # The root names what is public; it imports nothing until a name is used.
    "": {"errors"},
}
# Parts that are pushed to other machines: nothing of the client may travel with them, its errors included.
PORTABLE = {"agent", "wire", "store", "model"}
# Runs inside the session's environment, whose ipykernel it uses; the rest of the agent must start without it.
IN_ENVIRONMENT = Path("choline_jupyter/agent/kernel")

CEILING = 400
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}
# What comes back from another machine is data, and is never run here. These parts only ever run on the other machine.
REMOTE_ONLY = {"agent", "training"}
CODE_AS_DATA = {"pickle", "cloudpickle", "marshal", "dill", "shelve", "joblib"}

MODULES = python_modules()
TESTS_AND_SCRIPTS = python_modules(ROOT / "tests") + python_modules(ROOT / "notebooks")


def allowed_imports(part: str) -> set[str]:
    if part in ALONE:
        return ALONE[part]
    depth = next((level for level, parts in enumerate(LAYERS) if part in parts), None)
    assert depth is not None, f"the part {part!r} has no place in LAYERS: give it one"
    below = set().union(*LAYERS[depth + 1 :])
    return below if part in PORTABLE else below | {"errors"}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_downwards(path: Path) -> None:
    part = part_of(module_name(path))
    ours = {part_of(name) for name in imports_of(path) if name.startswith("choline_jupyter.")}
    # Names of the root package itself (`from choline_jupyter import __version__`) are no parts.
    parts = {name for name in ours if not name.startswith("__")}
    forbidden = parts - allowed_imports(part) - {part}
    assert not forbidden, f"{path} imports {sorted(forbidden)}"


@pytest.mark.parametrize("path", [p for p in MODULES if part_of(module_name(p)) in PORTABLE], ids=str)
def test_portable_parts_are_python_3_9(path: Path) -> None:
    ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path), feature_version=(3, 9))


def interpreters() -> list[str]:
    """This Python, and the oldest supported one wherever the PATH has it."""
    oldest = {str(Path(folder) / "python3.9") for folder in os.environ.get("PATH", "").split(os.pathsep)}
    return [sys.executable, *sorted(python for python in oldest if _runs(python))]


def _runs(python: str) -> bool:
    # A version manager's stand-in may exist without a Python behind it.
    if not Path(python).exists():
        return False
    return subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("python", interpreters())
def test_portable_parts_need_only_the_standard_library(python: str) -> None:
    bare = [p for p in MODULES if part_of(module_name(p)) in PORTABLE and IN_ENVIRONMENT not in p.parents]
    names = [module_name(p) for p in bare if p.name != "__main__.py"]
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfor name in {names!r}: __import__(name)"
    ran = subprocess.run([python, "-B", "-I", "-S", "-c", program], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("path", [*MODULES, *TESTS_AND_SCRIPTS, *typescript_modules()], ids=str)
def test_no_file_is_too_long(path: Path) -> None:
    lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
    assert lines <= CEILING, f"{path} has {lines} lines: split it by responsibility"


@pytest.mark.parametrize("path", [*MODULES, *TESTS_AND_SCRIPTS, *typescript_modules()], ids=str)
def test_names_say_what_is_inside(path: Path) -> None:
    parts = {part.split(".")[0].strip("_").lower() for part in path.parts}
    assert not parts & VAGUE_NAMES


@pytest.mark.parametrize("path", [*MODULES, *TESTS_AND_SCRIPTS], ids=str)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(parse(path)), f"{path} has no docstring"


@pytest.mark.parametrize("path", [p for p in MODULES if part_of(module_name(p)) not in REMOTE_ONLY], ids=str)
def test_nothing_that_comes_back_can_run_here(path: Path) -> None:
    serialisers = {name for name in imports_of(path) if name.split(".")[0] in CODE_AS_DATA}
    assert not serialisers, f"{path} imports {sorted(serialisers)}"
    calls = [node for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    assert not [f"{path}:{call.lineno}" for call in calls if runs_data(call)]


def runs_data(call: ast.Call) -> bool:
    """Whether a call evaluates text, unpickles a file, or hands a string to a shell."""
    if ast.unparse(call.func) in {"eval", "exec", "torch.load", "os.system", "os.popen"}:
        return True
    return any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in call.keywords)


@pytest.mark.parametrize(
    "code",
    [
        "eval(text)",
        "exec(code, {})",
        "torch.load(path)",
        "os.system('ls')",
        "subprocess.run(command, shell=True)",
        "subprocess.run(command, shell=use_shell)",
    ],
)
def test_dangerous_calls_are_recognised(code: str) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert runs_data(call)


@pytest.mark.parametrize("code", ["subprocess.run(command, shell=False)", "shell.eval(x)", "torch.save(x, path)"])
def test_ordinary_calls_are_not(code: str) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert not runs_data(call)


@pytest.mark.parametrize(
    ("part", "imported", "may"),
    [
        ("magic", "session", True),
        ("session", "providers", True),
        ("transport", "wire", True),
        ("session", "magic", False),
        ("providers", "transport", True),
        ("transport", "providers", False),
        ("agent", "providers", False),
        ("agent", "errors", False),
        ("wire", "errors", False),
        ("ledger", "errors", True),
    ],
)
def test_direction_table(part: str, imported: str, *, may: bool) -> None:
    assert (imported in allowed_imports(part)) is may
