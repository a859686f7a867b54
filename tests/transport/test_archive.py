"""The agent as it is pushed: the same bytes everywhere, and nothing of the client in them."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

from choline_jupyter.transport.archive import build_archive
from tests.source_tree import PACKAGE, ROOT


def read_names() -> list[str]:
    return zipfile.ZipFile(io.BytesIO(build_archive().data)).namelist()


def test_another_process_makes_the_same_bytes() -> None:
    code = "from choline_jupyter.transport.archive import build_archive as b; print(b().digest)"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    build_archive.cache_clear()
    assert told.stdout.strip() == build_archive().digest


def test_its_name_is_its_content() -> None:
    archive = build_archive()
    assert archive.digest == hashlib.sha256(archive.data).hexdigest()[:16]


def test_only_the_agent_and_what_it_imports_travel() -> None:
    names = read_names()
    sources = [name for name in names if name.endswith(".py")]
    assert {Path(name).parts[1] for name in sources} == {"__init__.py", "agent", "wire", "store", "model", "training"}
    assert all(name.startswith("choline_jupyter/") for name in names)
    assert len(names) == len(set(names))


def test_the_shims_of_all_machines_travel() -> None:
    shims = [name for name in read_names() if not name.endswith(".py")]
    assert shims == [f"choline_jupyter/preload/shim-{machine}.so" for machine in ("aarch64", "x86_64")]


def test_each_file_is_the_source() -> None:
    archive = zipfile.ZipFile(io.BytesIO(build_archive().data))
    for name in archive.namelist():
        assert archive.read(name) == (PACKAGE.parent / name).read_bytes()


def test_it_runs_from_where_it_is_unpacked_with_the_standard_library_alone(tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(build_archive().data)).extractall(tmp_path)
    program = tmp_path / "choline_jupyter/agent/__main__.py"
    home = str(tmp_path / "home")
    command = [sys.executable, "-S", str(program), "connect", "--no-start", "--home", home]
    ran = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, stdin=subprocess.DEVNULL)
    assert ran.returncode == 1
    assert ran.stderr == "choline: the agent cannot start on this machine: none runs\n"
