"""What is installed: one version, a wheel with everything once, a lock file that names no registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

import choline_jupyter
from tests.source_tree import ROOT

SHARED = "choline_jupyter-{version}.data/data/"


def read_json(name: str) -> Any:
    return json.loads((ROOT / name).read_text())


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, packed from the front end as it was last built."""
    if not (ROOT / "choline_jupyter" / "labextension" / "package.json").exists():
        pytest.skip("the front end is not built: python -m pip install -e .")
    folder = tmp_path_factory.mktemp("dist")
    environment = {**os.environ, "HATCH_BUILD_NO_HOOKS": "true"}
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], check=True, env=environment, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(dist.glob("*.whl")))


def test_version_stands_once() -> None:
    version = read_json("package.json")["version"]
    assert choline_jupyter.__version__ == version, "the installed version is another: python -m pip install -e ."
    assert read_json("package-lock.json")["version"] == version
    assert version not in (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[0]


def test_lock_file_names_packages_and_hashes_only() -> None:
    packages = read_json("package-lock.json")["packages"]
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    # The first entry is the project itself; bundled packages come inside another one's archive.
    assert not [name for name, entry in packages.items() if name and not entry.keys() & {"integrity", "inBundle"}]


def test_wheel_holds_the_front_end_once(wheel: zipfile.ZipFile) -> None:
    shared = SHARED.format(version=choline_jupyter.__version__)
    extension = f"{shared}share/jupyter/labextensions/choline-jupyter/"
    names = wheel.namelist()
    assert f"{extension}install.json" in names
    assert [name for name in names if name.endswith("static/style.js")] == [f"{extension}static/style.js"]
    entry = json.loads(wheel.read(f"{extension}package.json"))["jupyterlab"]["_build"]["load"]
    assert f"{extension}{entry}" in names


def test_wheel_enables_the_server_extension(wheel: zipfile.ZipFile) -> None:
    shared = SHARED.format(version=choline_jupyter.__version__)
    config = json.loads(wheel.read(f"{shared}etc/jupyter/jupyter_server_config.d/choline_jupyter.json"))
    assert config == {"ServerApp": {"jpserver_extensions": {"choline_jupyter": True}}}


def test_wheel_holds_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0].split("-")[0] for name in wheel.namelist()}
    assert tops == {"choline_jupyter"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name or "node_modules" in name]


def test_wheel_holds_the_compiled_shims(wheel: zipfile.ZipFile) -> None:
    names = [name for name in wheel.namelist() if name.startswith("choline_jupyter/preload/")]
    assert {name for name in names if name.endswith(".so")} == {
        f"choline_jupyter/preload/shim-{machine}.so" for machine in ("aarch64", "x86_64")
    }
    assert "choline_jupyter/preload/build_hook.py" not in names


def test_sdist_installs_without_npm(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert "choline_jupyter/labextension/static/style.js" in names
    assert {"package-lock.json", "labextension/src/index.tsx", "LICENSE"} <= names
    assert not [name for name in names if name.startswith(("node_modules", ".venv"))]


def our_entry_points() -> list[EntryPoint]:
    return [entry for entry in entry_points(group="console_scripts") if entry.value.startswith("choline_jupyter.")]


@pytest.mark.parametrize("name", ["choline"])
def test_entry_points_lead_somewhere(name: str) -> None:
    entry = next(entry for entry in our_entry_points() if entry.name == name)
    assert callable(entry.load())
