"""The quickstart notebook on four GPUs of a fake cloud, from the question whether to rent to a laptop that is gone.

Used by a test for each provider; the cloud's own bill is what the meter is held against.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress

import psutil

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.quickstart import read_cells
from tests.fakes.cloud import Cloud
from tests.source_tree import ROOT

RANKS = "application/vnd.choline.ranks+json"
METER = re.compile(r"choline: \d+ s on 4x [^;]+; ([\d.]+) USD of 2\.00 USD so far \(estimate\)(.*)")
NEAR = 0.02  # USD: a cent is not told, and our clock begins before the cloud's
PATIENCE = 150.0  # seconds for a cell: four kernels import torch and matplotlib on whatever there is


class Story:
    """One user's notebook. `runs` are its cells by their names."""

    def __init__(self, user: Isolation, cloud: Cloud) -> None:
        self._user, self._cloud = user, cloud
        shutil.copy(ROOT / "notebooks" / "model.py", user.folder)
        self.kernel = DrivenKernel(user, patience=PATIENCE)
        self.kernel.run(LOAD)
        self.runs: dict[str, Run] = {}

    def close(self) -> None:
        """Whatever has become of the test: nothing of the user's runs any more."""
        for process in self._user.find_processes():
            if process.pid != os.getpid():  # the cloud may be in this process
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def run_notebook(self, options: str) -> None:
        """Every cell, the first one of the session with a line on top that rents; the user agrees, and answers."""
        for name, code in read_cells(steps=3, each=3, length=40):
            where = f"%%choline {options}" if name == "machine" else "%%choline"
            spent = sum(map(self._cloud.bill, self._cloud.rentals))
            answer = "y" if name == "machine" else "def main("
            run = self.runs[name] = self.kernel.run(code.replace("%%choline", where, 1), [answer])
            assert run.reply["status"] == ("error" if name == "raise" else "ok"), run.messages
            if code.startswith("%%choline"):
                self._check_meter(run, spent)

    def check_outputs(self) -> None:
        """What a reader sees, of four ranks as of one."""
        [question] = self.runs["machine"].questions
        assert "at most 2.00 USD in all? [y/N]" in question["content"]["prompt"]
        assert self.runs["machine"].read().count("Python ") == 1
        assert set(find_ranks(self.runs["machine"])) == {"1", "2", "3"}
        trained = self.runs["train"]
        assert re.findall(r"^step +(\d): training loss \d", trained.read(), re.MULTILINE) == ["3"]
        assert any("image/png" in m["content"]["data"] for m in trained.find("update_display_data"))
        [error] = self.runs["raise"].find("error")
        assert error["content"]["ename"] == "ValueError"
        assert "after 3 steps" in self.runs["survived"].read()
        assert self.runs["sample"].read().startswith("class Reader:\n")
        assert self.runs["ask"].read().startswith("def main(")
        assert (self._user.folder / "ckpt.pt").stat().st_size > 1e6

    def leave(self) -> None:
        """The last cell says that the machine need not wait for long, and the kernel is killed."""
        run = self.kernel.run("%%choline --lease 2s --hold 1s\nprint('bye')")
        assert run.read() == "bye\n"
        assert len(self._cloud.list_alive()) == 1
        self.kernel.kill()

    def check_nothing_left(self) -> None:
        """The machine ends itself, a look at it says so, and then the keeper has nothing to keep."""
        wait_until(lambda: not self._cloud.list_alive())
        assert "USD/h" not in [self.command("status") for _ in range(2)][-1]
        wait_until(lambda: not self._list_own())

    def command(self, *arguments: str) -> str:
        """What `choline` prints."""
        command = [sys.executable, "-m", "choline_jupyter", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, env=self._user.environment, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def _list_own(self) -> list[list[str]]:
        """What the user's notebook and commands have left running."""
        found = []
        for process in self._user.find_processes():
            with suppress(psutil.Error):  # it has just ended
                found.append(process.cmdline())
        return [command for command in found if "choline_jupyter" in str(command)]

    def _check_meter(self, run: Run, spent: float) -> None:
        """The last line says what the cloud will charge, which was more than before the cell and is not more than now."""
        texts = [str(m["content"]["data"].get("text/plain")) for m in run.find("display_data", "update_display_data")]
        lines = [found for text in [*texts, *run.read("stderr").splitlines()] if (found := METER.match(text))]
        assert lines, run.messages
        total = float(lines[-1][1])
        assert spent - NEAR <= total <= sum(map(self._cloud.bill, self._cloud.rentals)) + NEAR


def find_ranks(run: Run) -> dict[str, str]:
    """What each rank has said, besides the first."""
    for message in run.find("display_data"):
        if RANKS in message["content"]["data"]:
            return dict(message["content"]["data"][RANKS]["ranks"])
    return {}
