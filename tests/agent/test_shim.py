"""The shim's file and the environment of those that have it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from choline_jupyter.agent import shim
from tests.agent.file_pair import SHIM
from tests.preloading import needs_shim
from tests.source_tree import PACKAGE

FILES = {"socket": "/s", "roots": ["/a", "/b c"], "except": ["/a/x"], "preload": ""}


@needs_shim
def test_it_is_copied_once_to_where_every_session_sees_it(tmp_path: Path) -> None:
    found = Path(shim.find_shim(tmp_path, sys.executable))
    before = found.stat()
    assert found.parent == tmp_path / "preload"
    assert found.read_bytes() == SHIM.read_bytes()
    assert Path(shim.find_shim(tmp_path, sys.executable)) == found
    assert (found.stat().st_ino, found.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_interpreter_of_another_c_library_has_none(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_bytes(b"\x7fELF no names of any library")
    assert shim.find_shim(tmp_path, str(program)) == ""


def test_a_machine_of_another_kind_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert shim.find_shim(tmp_path, sys.executable) == ""


def test_what_the_user_preloads_stays() -> None:
    environment = {"LD_PRELOAD": "libmine.so:/old/choline-shim-1.so other.so"}
    shim.add_preload(environment, "/new/choline-shim-2.so")
    assert environment == {"LD_PRELOAD": "/new/choline-shim-2.so libmine.so other.so"}
    shim.add_preload(environment, "")
    assert environment == {"LD_PRELOAD": "libmine.so other.so"}


def test_without_any_there_is_no_variable() -> None:
    environment = {"LD_PRELOAD": "/old/choline-shim-1.so"}
    shim.add_preload(environment, "")
    assert environment == {}


def test_marks_say_where_to_ask() -> None:
    environment: dict[str, str] = {}
    shim.mark_environment(environment, FILES)
    assert environment == {"CHOLINE_FILES": "/s", "CHOLINE_FILES_ROOTS": "/a//b c", "CHOLINE_FILES_EXCEPT": "/a/x"}
    assert shim.read_marks(environment) == [b"/s", b"/a//b c", b"/a/x"]


@needs_shim
def test_nothing_newer_than_glibc_2_17_is_wanted() -> None:
    for path in sorted((PACKAGE / "preload").glob("*.so")):
        versions = {part for part in path.read_bytes().split(b"\0") if part.startswith(b"GLIBC_2.")}
        assert versions
        assert max(int(version.split(b".")[1]) for version in versions) <= 17


@needs_shim
def test_a_program_that_is_told_nothing_does_not_notice_it(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CHOLINE")}
    ran = subprocess.run(
        ["/bin/sh", "-c", "echo x > a; cat a; ls; rm a"], cwd=tmp_path, env={**environment, "LD_PRELOAD": str(SHIM)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("x\na\n", "")
