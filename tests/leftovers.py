"""A pytest plugin: what the tests have started has ended when they have.

Loaded by tests/conftest.py. Everything that is started below a run carries its mark in its environment, detached processes
included; what still runs a minute after the last test is told, ended, and makes the run a failure. (What a test starts
through an sshd of its own does not have the mark; the fixtures of those tests look for themselves.)
"""

from __future__ import annotations

import os
import uuid

import psutil
import pytest

MARK = "TESTS_OF_CHOLINE"  # no name of choline's, which fixtures take out of what they start
PATIENCE = 60.0

_left = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[MARK] = uuid.uuid4().hex


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ.pop(MARK, None)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Behind xdist's own, which ends its workers."""
    if hasattr(session.config, "workerinput"):
        return
    _, alive = psutil.wait_procs(list_marked(os.environ[MARK]), timeout=PATIENCE)
    session.config.stash[_left] = [describe(process) for process in alive]
    for process in alive:
        process.kill()
    if alive and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_left, []):
        terminalreporter.write_line(f"still running after the last test: {line}", red=True)


def list_marked(mark: str) -> list[psutil.Process]:
    """What carries the mark, but for the process that looks and those that have started it."""
    own = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in own and read_mark(process) == mark]


def read_mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except psutil.Error:
        return None


def describe(process: psutil.Process) -> str:
    """Its command, and the test that has started it."""
    try:
        return (
            f"{process.pid}: {' '.join(process.cmdline())[:200]} ({process.environ().get('PYTEST_CURRENT_TEST', '')})"
        )
    except psutil.Error:
        return f"{process.pid}"
