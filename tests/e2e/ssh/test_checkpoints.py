"""Checkpoints of a cell and of what it starts come home from a host, also when the connection is cut meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.ssh.server import Server
from tests.e2e.training.notebook import expect_whole, find_job, finish, list_home, succeed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PROGRAM = """
import torch
from choline_jupyter import checkpoint, log
import choline_jupyter
value = torch.randn(2_000_000)
for step in range(5):
    value += 0.001
    checkpoint(step, loss=5.0 - step, value=value)
    log(step=step, total=5, loss=5.0 - step)
    print("saved", step, flush=True)
print(choline_jupyter.__file__)
"""


def test_they_come_home_over_a_connection_that_is_cut(
    kernel: DrivenKernel, isolation: Isolation, server: Server
) -> None:
    succeed(kernel, "import warnings")
    kernel.run(f"%%choline --host {server.address}\nimport torch", ["yes"])
    started = kernel.start("%%choline\n" + PROGRAM)
    kernel.wait_for(lambda: "saved 2" in started.read())
    server.cut()
    kernel.finish(started)
    assert str(server.home) in started.read()  # the helpers were pushed with the agent
    assert finish(kernel) == "[]"
    job = find_job(kernel)
    home = list_home(isolation, job)
    assert [path.name for path in home[-3:]] == [f"step-000000000{step}.pt" for step in (2, 3, 4)]
    records = [expect_whole(path) for path in home]
    assert any(record["received"] < 0.95 * record["size"] for record in records)
    assert "step 4" in succeed(kernel, "%choline runs").read()


def test_a_program_that_a_cell_starts_there(kernel: DrivenKernel, isolation: Isolation, server: Server) -> None:
    Path(isolation.folder / "program.py").write_text(PROGRAM)
    run = succeed(kernel, "%%choline\n!python3 program.py")
    assert "saved 4" in run.read()
    assert str(server.home) in run.read()
    finish(kernel)
    assert list_home(isolation, find_job(kernel))[-1].name == "step-0000000004.pt"
