"""The quickstart on a spot machine of the fake vast.ai that is outbid in the middle: the same cell ends with the same loss."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.training.notebook import succeed
from tests.fakes.vast import VastCloud
from tests.source_tree import ROOT

pytestmark = [pytest.mark.vast, pytest.mark.timeout(300)]

PATIENCE = 200.0
LINE = "%%choline --gpu 4x3090 --ranks 1 --provider vast --spot --budget 2 --env none\n"
TRAINING = """
import time, torch
from torch import nn
from choline_jupyter import checkpoint, log, resume
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
data = torch.randn(64, 32)
epochs, pause = 6, PAUSE
for step in range(resume(model=model, optimizer=optimizer).step + 1, 4 * epochs):
    batch = data[torch.randint(0, 64, (16,))]
    loss = (model(batch) - batch.sum(1, keepdim=True)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    log(step=step, total=4 * epochs, epoch=step / 4, loss=loss)
    checkpoint(step, loss=loss, model=model, optimizer=optimizer)
    print("epoch %d step %d loss %.9f" % (step // 4, step, loss), flush=True)
    time.sleep(pause)
"""


@pytest.fixture
def cloud(home: Isolation, tmp_path: Path) -> Iterator[VastCloud]:
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made = VastCloud(has_machines=True)
    fakes = tmp_path / "fakes.json"
    fakes.write_text(json.dumps({"vast": made.tell()}))
    home.environment.update(CHOLINE_FAKE_CLOUD=str(fakes), PYTHONPATH=str(ROOT))
    config = Path(home.environment["XDG_CONFIG_HOME"]) / "choline/config.toml"
    config.parent.mkdir()
    config.write_text("[money]\nbudget = 5\nauto_approve = 5\n")
    yield made
    made.close()


def read_until(kernel: DrivenKernel, condition: Callable[[], object]) -> None:
    """As `wait_for`, for what takes as long as renting a machine does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        kernel._read(deadline)


def read_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("epoch ")]


def test_the_quickstart_goes_on_on_another_machine(home: Isolation, cloud: VastCloud) -> None:
    kernel = DrivenKernel(home)
    kernel.run(LOAD)
    undisturbed = read_lines(succeed(kernel, TRAINING.replace("PAUSE", "0.0")).read())
    assert len(undisturbed) == 24
    run = kernel.start(LINE + TRAINING.replace("PAUSE", "0.1"))
    read_until(kernel, lambda: "step 9 " in run.read())
    [first] = cloud.list_alive()
    cloud.outbid(first.handle)
    read_until(kernel, lambda: "continuing on" in run.read("stderr"))
    read_until(kernel, lambda: run.is_idle and run.reply)
    assert run.reply["status"] == "ok", run.read("stderr")
    lines = read_lines(run.read())
    steps = [undisturbed.index(line) for line in lines]  # every loss is, to the digit, that of the undisturbed run
    assert (steps[0], steps[-1]) == (0, 23)
    # The other machine goes on behind the last checkpoint that came home: steps after it are made again, if there were any.
    assert sum(step != before + 1 for before, step in pairwise(steps)) <= 1
    told = run.read("stderr")
    assert "was lost (outbid) after" in told
    assert "from step " in told
    [second] = cloud.list_alive()
    assert second.handle != first.handle
    assert read_spent(run) == pytest.approx(cloud.bill(first.handle) + cloud.bill(second.handle), abs=0.01)
    succeed(kernel, "%choline stop --all --yes")
    wait_until(lambda: not cloud.list_alive())
    kernel.close()


def read_spent(run: Run) -> float:
    """What the line below a cell says at last that its session has cost."""
    shown = [
        str(message["content"]["data"]["text/plain"]) for message in run.find("update_display_data", "display_data")
    ]
    [*_, meter] = [text for text in shown if "USD so far" in text]
    assert "of 2.00 USD so far" in meter
    return float(meter.partition("; ")[2].split()[0])


def test_the_quickstart_waits_for_its_machine(home: Isolation, cloud: VastCloud) -> None:
    """It was outbid; then its bid is the highest again."""
    kernel = DrivenKernel(home)
    kernel.run(LOAD)
    undisturbed = read_lines(succeed(kernel, TRAINING.replace("PAUSE", "0.0")).read())
    run = kernel.start(
        LINE.replace("--env none", "--env none --on-loss wait --wait 3h") + TRAINING.replace("PAUSE", "0.1")
    )
    read_until(kernel, lambda: "step 9 " in run.read())
    [machine] = cloud.list_alive()
    cloud.outbid(machine.handle)
    read_until(kernel, lambda: "waiting for it" in run.read("stderr"))
    told = run.read("stderr")
    assert "was outbid after" in told
    assert "for at most 2 h 59 min, then another is looked for" in told
    assert "its disk costs 0.0041 USD/h (3.00 USD a month)" in told
    cloud.win(machine.handle)
    read_until(kernel, lambda: run.is_idle and run.reply)
    assert run.reply["status"] == "ok", run.read("stderr")
    lines = read_lines(run.read())
    steps = [undisturbed.index(line) for line in lines]
    assert (steps[0], steps[-1]) == (0, 23)
    assert sum(step != before + 1 for before, step in pairwise(steps)) <= 1
    told = run.read("stderr")
    assert told.count("waiting for it") == 1
    assert "and runs again, going on from step" in told
    assert cloud.list_alive() == [machine]
    assert read_spent(run) == pytest.approx(cloud.bill(machine.handle), abs=0.01)
    succeed(kernel, "%choline stop --all --yes")
    wait_until(lambda: not cloud.list_alive())
    kernel.close()
