"""A choline of its own for a benchmark: fresh folders, and at the end not one process left."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from choline_jupyter.agent.place import Place

PATIENCE = 15.0


class Home:
    """Folders for one client and one agent. Sockets' paths are short, so these are below the temporary folder."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="choline-bench-"))
        self.environment = {"CHOLINE_HOME": str(self.path / "client"), "CHOLINE_AGENT_HOME": str(self.path / "agent")}

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This process uses the home while the block runs."""
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def list_processes(self) -> list[psutil.Process]:
        """Every process that was started in this home, this one left out."""
        return [process for process in psutil.process_iter() if process.pid != os.getpid() and self._owns(process)]

    def close(self) -> None:
        """End what still runs, by pid, and delete the folders."""
        while left := self.list_processes():
            for process in left:
                _end(process)
            psutil.wait_procs(left, timeout=PATIENCE)
        shutil.rmtree(Place(self.environment["CHOLINE_AGENT_HOME"]).sockets, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def _owns(self, process: psutil.Process) -> bool:
        try:
            is_alive = process.status() != psutil.STATUS_ZOMBIE
            return is_alive and process.environ().get("CHOLINE_AGENT_HOME") == self.environment["CHOLINE_AGENT_HOME"]
        except psutil.Error:
            return False


def _end(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        pass
