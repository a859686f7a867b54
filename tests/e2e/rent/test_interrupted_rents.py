"""The stop button while a machine is looked for, agreed to, booted or connected to: nothing is kept, and that is said."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.fakes.runpod import RunPodCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

CELL = "%%choline --gpu a100 --provider runpod --budget 2\n1"


@pytest.fixture
def cloud() -> Iterator[RunPodCloud]:
    """Nothing answers where its machines should be."""
    made = RunPodCloud()
    yield made
    made.close()


@pytest.fixture
def kernel(cloud: RunPodCloud) -> Iterator[DrivenKernel]:
    user = Isolation()
    told = user.folder / "fakes.json"
    told.write_text(json.dumps({"runpod": cloud.tell()}))
    user.environment["CHOLINE_FAKE_CLOUD"] = str(told)
    made = DrivenKernel(user)
    made.run(LOAD)
    yield made
    made.close()
    for process in user.find_processes():  # the keeper looks again in ten minutes
        process.kill()
    user.close()


def start(kernel: DrivenKernel) -> Run:
    """A cell whose user is being asked."""
    run = kernel.start(CELL)
    kernel.wait_for(lambda: run.questions)
    return run


def interrupt(kernel: DrivenKernel, run: Run) -> str:
    """The one error of a cell that is interrupted now, of which no stack of ours is shown."""
    kernel.interrupt()
    kernel.finish(run)
    assert run.reply["ename"] == "KeyboardInterrupt"
    assert "choline: nothing was kept" in run.read("stderr")
    text = run.read_error()
    assert "Stopped before it was done." in text
    assert "Traceback" not in text
    return text


def test_each_stage_can_be_stopped_and_the_next_cell_asks_again(kernel: DrivenKernel, cloud: RunPodCloud) -> None:
    """In one kernel: whatever was interrupted is in nobody's way."""
    interrupt(kernel, start(kernel))
    assert not cloud.rentals
    for looks, stage in ((10_000, "booting:"), (0, "connecting for the first time:")):
        cloud.boot_looks = looks
        run = start(kernel)
        kernel.client.input("y")
        kernel.wait_for(lambda run=run, stage=stage: stage in run.read("stderr"))  # type: ignore[misc]
        interrupt(kernel, run)
        assert not cloud.list_alive()
    assert len(cloud.rentals) == 2
    run = start(kernel)
    kernel.client.input("n")
    assert "nobody has agreed" in kernel.finish(run).read_error()
