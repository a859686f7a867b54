"""A run whose tests leave a process behind fails, says which, and ends it."""

from __future__ import annotations

import contextlib

import psutil
import pytest

from tests.source_tree import ROOT

HURRY = """
import tests.leftovers
tests.leftovers.PATIENCE = 0.2
"""
LEAVING = """
import subprocess, sys, pathlib
def test_leaves():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    pathlib.Path("pid").write_text(str(process.pid))
"""
WAITING = """
import subprocess, sys
def test_waits():
    assert subprocess.call([sys.executable, "-c", ""]) == 0
"""


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, source: str) -> pytest.RunResult:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(HURRY)
    pytester.makepyfile(source)
    return pytester.runpytest_subprocess("-p", "tests.leftovers", "-p", "no:asyncio")


def test_what_is_left_is_told_and_ended(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(pytester, monkeypatch, LEAVING)
    pid = int((pytester.path / "pid").read_text())
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"still running after the last test: {pid}: *time.sleep(600)*"])
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(30)


def test_who_waits_for_its_own_is_fine(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(pytester, monkeypatch, WAITING).ret == pytest.ExitCode.OK
