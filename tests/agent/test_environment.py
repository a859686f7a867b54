"""Environments on a machine whose Python has torch: made on top of it, for real, with uv and with pip."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from choline_jupyter.agent.environment import Environments, list_differences, remove_tree
from choline_jupyter.agent.installation import Order, make_venv
from choline_jupyter.agent.interpreter import Interpreter, probe_interpreter
from choline_jupyter.agent.layer import find_site, is_used, make_layer
from choline_jupyter.agent.tool import EnvironmentFault
from choline_jupyter.model.environment import Target

VERSION = "%d.%d" % sys.version_info[:2]
READ = "import torch, {0}, sys; print(torch.__version__, torch.__file__, {0}.__file__, sys.prefix, sep='\\n')"


class Told:
    """What was said, and a client that has nothing to bring."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.targets: list[Target] = []

    def tell(self, state: str, stage: str) -> None:
        self.lines.append(f"{state}: {stage}")

    async def bring(self, target: Target) -> Sequence[Path]:
        self.targets.append(target)
        raise EnvironmentFault("the client has nothing")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """A home of its own, in which the Python that runs the tests is the image's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.defpath}")
    return Told()


def find(order: Order, told: Told) -> str:
    return asyncio.run(Environments().find(order, told.tell, told.bring))


def read(python: str, code: str) -> list[str]:
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def probe(python: str = sys.executable) -> Interpreter:
    found = asyncio.run(probe_interpreter(python, ["ipykernel"]))
    assert found
    return found


def test_an_interpreter_that_has_everything_is_used_as_it_is(told: Told) -> None:
    python = find(Order(("ipykernel", f"torch=={torch.__version__.partition('+')[0]}"), True, VERSION), told)
    assert read(python, "import sys; print(sys.prefix)") == [sys.prefix]
    assert told.lines == []


def test_another_torch_than_the_image_s_is_told_and_not_installed(told: Told) -> None:
    python = find(Order(("torch==2.4.0",), True, "3.9"), told)
    assert read(python, "import sys; print(sys.prefix)") == [sys.prefix]
    assert told.lines == [
        f"notice: Python {VERSION} there, not 3.9.",
        f"notice: your torch 2.4.0 -> image {version('torch')}.",
    ]


@pytest.mark.e2e
@pytest.mark.timeout(180)
@pytest.mark.parametrize("has_uv", [True, False], ids=["uv", "pip"])
def test_what_is_missing_is_installed_on_top_of_the_image_s_torch(
    told: Told, has_uv: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not has_uv:
        hide_uv(monkeypatch, tmp_path)
    order = Order(("einops==0.8.0", "torch==2.4.0"), False, VERSION)
    python = find(order, told)
    number, place, own, prefix = read(python, READ.format("einops"))
    assert (number, place) == (torch.__version__, torch.__file__)
    assert own.startswith(prefix)
    site = find_site(Path(prefix))
    assert not (Path(site) / "torch").exists()
    assert f"notice: your torch 2.4.0 -> image {version('torch')}." in told.lines
    assert not Path(site).stat().st_mode & 0o222
    again = Told()
    assert find(order, again) == python
    assert again.lines == [f"notice: your torch 2.4.0 -> image {version('torch')}."]
    remove_tree(Path(prefix))
    assert not Path(prefix).exists()


def hide_uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH whose `python3` is the image's and which has nothing else of it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "bin" / "python3").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.defpath}")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not shutil.which("uv")


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_what_cannot_be_had_is_asked_of_the_client_with_what_is_there(told: Told) -> None:
    with pytest.raises(EnvironmentFault, match="nothing"):
        find(Order(("choline-has-no-such-package==1",)), told)
    [target] = told.targets
    assert "torch" in target.kept
    assert f"ipykernel=={probe().packages['ipykernel']}" in target.have
    assert any("choline-has-no-such-package" in line for line in told.lines)
    assert all(len(line) < 500 for line in told.lines)


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_a_session_s_layer_changes_nothing_below(told: Told, tmp_path: Path) -> None:
    environments, layer = Environments(), tmp_path / "layer"

    def add(*packages: str) -> bool:
        order = Order(packages, True)
        return asyncio.run(environments.add(sys.executable, layer, order, told.tell, told.bring, False))

    assert not add("torch==2.4.0", "ipykernel")
    assert not layer.exists()
    assert add("einops==0.8.0")
    assert not add("einops==0.8.0")
    assert is_used(layer)
    _, place, own, _ = read(str(layer / "bin" / "python"), READ.format("einops"))
    assert (place, own.startswith(str(layer))) == (torch.__file__, True)


def test_a_layer_of_a_layer_has_everything_below(tmp_path: Path) -> None:
    first = make_layer(tmp_path / "first", probe())
    assert not is_used(tmp_path / "first")
    Path(find_site(tmp_path / "first"), "choline_first.py").touch()
    assert is_used(tmp_path / "first")
    second = make_layer(tmp_path / "second", probe(str(first)))
    found = probe(str(second))
    assert found.packages["torch"] == version("torch")
    [own, prefix] = read(
        str(second), "import choline_first, torch, sys; print(choline_first.__file__, sys.prefix, sep='\\n')"
    )
    assert (own.startswith(str(tmp_path / "first")), prefix) == (True, str(tmp_path / "second"))


@pytest.mark.parametrize("wanted", [VERSION, ">=3.99", ""])
def test_an_environment_has_the_python_wanted_or_this_one(
    wanted: str, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    asyncio.run(make_venv(tmp_path / "made", wanted, told.tell))
    made = probe(str(tmp_path / "made" / "bin" / "python"))
    assert made.series == VERSION
    expected = [f"Python {VERSION} there, not >=3.99"] if wanted == ">=3.99" else []
    assert list(list_differences(made, Order(python=wanted), ())) == expected


def find_other_python() -> tuple[str, str]:
    """Another Python of this machine than the one that runs the tests, as its version and its folder; else this one's."""
    found = {path.name.removeprefix("python"): path for path in Path(sys.base_prefix).parent.glob("*/bin/python3.*")}
    others = [name for name in found if name[2:].isdigit() and int(name[2:]) >= 9 and name != VERSION]
    return (others[0], str(found[others[0]].parent)) if others else (VERSION, str(Path(sys.executable).parent))


def test_another_python_that_uv_finds_is_taken(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, folder = find_other_python()
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("PATH", f"{folder}:{Path(sys.executable).parent}:{os.defpath}")
    asyncio.run(make_venv(tmp_path / "made", wanted, told.tell))
    made = probe(str(tmp_path / "made" / "bin" / "python"))
    assert made.series == wanted
    assert list(list_differences(made, Order(python=wanted), ())) == []


def test_a_python_that_does_not_start_has_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert asyncio.run(probe_interpreter(str(broken))) is None
    assert asyncio.run(probe_interpreter(str(tmp_path / "absent"))) is None


def test_extras_count_when_what_they_need_is_there() -> None:
    there = Interpreter(
        "p", "p", "3.11.7", (), {"a": "1", "b": "2"}, {"a": ["b>=1 ; extra == 'one'", 'c ; extra == "two"']}
    )
    assert there.list_missing(["a[one]", "a[two]", "a[three]", "a>=2", "c", "a ; python_version > '3'"]) == [
        "a[two]", "a[three]", "a>=2", "c", "a ; python_version > '3'",
    ]  # fmt: skip
    assert there.list_missing(["a>=2", "c"], in_any_version=True) == ["c"]
