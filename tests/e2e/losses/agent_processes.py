"""The agent's processes in an isolated home: which there are, and how they are killed.

Used by the tests that kill them.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import psutil

from tests.e2e.kernels.isolation import Isolation

PATIENCE = 120.0


def find_supervisors(home: Isolation) -> list[psutil.Process]:
    """Forked by a connector or started by a fork server; one that has just been killed is none.

    Nor is its child, which keeps its command line until it has become the fork server.
    """
    found = [process for process in home.find_agent() if "forkserver" not in _read_command(process)]
    pids = {process.pid for process in found}
    return [process for process in found if _read_parent(process) not in pids]


def find_fork_servers(home: Isolation) -> list[psutil.Process]:
    """Those that have imported nothing and those that have imported torch."""
    return [process for process in home.find_agent() if "forkserver" in process.cmdline()]


def find_downloads(home: Isolation) -> list[psutil.Process]:
    """The processes that download datasets."""
    return [process for process in home.find_processes() if "download" in _read_command(process)]


def _read_command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return ["forkserver"]


def _read_parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0


def kill(*processes: psutil.Process) -> None:
    """As by `kill -9`, all at once; returns when they are gone."""
    for process in processes:
        process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert not alive


def is_running(pid: int) -> bool:
    """Whether a process lives; one that only waits for its parent to look at it does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], object]) -> None:
    """Look again and again; fails when it does not come true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
