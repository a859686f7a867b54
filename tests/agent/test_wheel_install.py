"""Wheels unpacked by PyPA's installer, in the place of another version of theirs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from choline_jupyter.agent import wheel_install

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def installer(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("installer")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), "installer>=0.7"]
    subprocess.run(command, check=True)
    return str(next(folder.glob("*.whl")))


def write_wheel(folder: Path, version: str, *modules: str) -> str:
    path = folder / f"some_thing-{version}-py3-none-any.whl"
    info = f"some_thing-{version}.dist-info"
    files = {
        **{f"some_{module}.py": f"version = {version!r}" for module in modules},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: Some.Thing\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(name, text)
    return str(path)


def test_another_version_is_replaced(installer: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    for version, modules in (("1", ("old", "kept")), ("2", ("kept", "new"))):
        wheel = write_wheel(tmp_path, version, *modules)
        subprocess.run([python, str(wheel_install.__file__), installer, wheel], check=True)
    [site] = (tmp_path / "venv").glob("lib/python*/site-packages")
    assert sorted(path.name for path in site.glob("some_*.py")) == ["some_kept.py", "some_new.py"]
    assert (site / "some_kept.py").read_text() == "version = '2'"
