"""The quickstart on a host by ssh: the same outputs as on this machine."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator

import pytest

from choline_jupyter.magic.job_element import JOB
from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.quickstart import read_cells
from tests.e2e.ssh.server import Server
from tests.source_tree import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STEPS = 20
TIMES = re.compile(r"\d+:\d+|\d+(\.\d+)?\s?(s/it|it/s|s\b|ms\b)|\?")


def describe(run: Run) -> dict[str, object]:
    """What a reader sees, without what depends on the clock: a progress bar's lines and times."""
    text = [line for line in run.read().splitlines() if "it/s" not in line]
    errors = [(m["content"]["ename"], m["content"]["evalue"]) for m in run.find("error")]
    shown = [
        sorted(data) for m in run.find("display_data", "execute_result") if JOB not in (data := m["content"]["data"])
    ]
    return {"text": TIMES.sub("", "\n".join(text)), "errors": errors, "shown": shown, "status": run.reply["status"]}


def execute(kernel: DrivenKernel, options: str) -> dict[str, dict[str, object]]:
    """The cells' outputs by their names; the first cell of the session says where it is."""
    outputs = {}
    for name, code in read_cells(STEPS):
        where = f"%%choline {options}" if name == "machine" else "%%choline"
        outputs[name] = describe(kernel.run(code.replace("%%choline", where, 1), ["def main("]))
    return outputs


@pytest.fixture
def plain_kernel(isolation: Isolation) -> Iterator[DrivenKernel]:
    made = DrivenKernel(isolation)
    made.run(LOAD)
    yield made
    made.run("%choline stop --all --yes")
    made.close()


def test_it_gives_the_same_as_here(
    kernel: DrivenKernel, plain_kernel: DrivenKernel, isolation: Isolation, server: Server
) -> None:
    shutil.copy(ROOT / "notebooks" / "model.py", isolation.folder)
    here = execute(plain_kernel, "")
    (isolation.folder / "ckpt.pt").unlink()
    there = execute(kernel, f"--host {server.address} --accept-host-key {server.fingerprint}")
    assert there == here
    assert "def main(" in str(here["ask"]["text"])
    assert here["raise"]["errors"]
    assert (isolation.folder / "ckpt.pt").exists()
    assert f"step {STEPS}" in str(here["save"]["text"]), sys.version
