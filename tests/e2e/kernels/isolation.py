"""An environment with nothing of this machine's user in it, and the processes that were started with it.

Made by conftest.py and by the tests that start programs of their own.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
from pathlib import Path

import psutil

from tests.source_tree import ROOT

END_SECONDS = 20
FOLDERS = (
    "CHOLINE_AGENT_HOME",
    "CHOLINE_HOME",
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_RUNTIME_DIR",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
)
# Carried in the environment by everything that is started here, detached processes included.
MARK = "CHOLINE_TEST_KERNELS"


class Isolation:
    """Folders and environment of one user who has only just installed choline; `close` ends all they have started.

    `folder` is where kernels run. `close` fails when anything but the agent, which lingers on purpose, has to be ended.
    """

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="chk-"))
        self._mark = secrets.token_hex(8)
        self.folder = self._root / "work"
        self.environment = self._make_environment()

    def find_processes(self) -> list[psutil.Process]:
        """Every living process that was started in this environment."""
        return [process for process in psutil.process_iter() if _read_mark(process) == self._mark]

    def find_agent(self) -> list[psutil.Process]:
        """The supervisor and its fork servers, but no kernel."""
        return [process for process in self.find_processes() if _is_agent(process)]

    def close(self) -> None:
        """End what runs on by design, then expect that nothing is left."""
        forced = self._end_processes()
        shutil.rmtree(self._root, ignore_errors=True)
        assert not forced, f"still running after the kernels had ended: {forced}"

    def _end_processes(self) -> list[str]:
        for process in self.find_agent():
            _signal(process, signal.SIGTERM)
        _, alive = psutil.wait_procs(self.find_processes(), timeout=END_SECONDS)
        forced = [" ".join(process.cmdline()) for process in alive]
        for process in alive:
            process.kill()
        return forced

    def _make_environment(self) -> dict[str, str]:
        users = ("CHOLINE", "JUPYTER", "IPYTHON", "JPY_", "XDG_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(users)}
        folders = {name: self._root / name.lower() for name in FOLDERS}
        for folder in (self.folder, *folders.values()):
            folder.mkdir()
        own = {name: str(folder) for name, folder in folders.items()}
        return {**kept, **own, "PYTHONPATH": str(ROOT), MARK: self._mark}


def _read_mark(process: psutil.Process) -> str | None:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return process.environ().get(MARK) if alive else None
    except psutil.Error:
        return None


def _is_agent(process: psutil.Process) -> bool:
    """The agent writes into its log; a kernel, which keeps the command line of its fork server, into one of its own."""
    try:
        return Path(f"/proc/{process.pid}/fd/1").readlink().name == "supervisor.log"
    except OSError:
        return False


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        pass
