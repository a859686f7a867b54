"""Checkpoints of a cell come home while it runs, whole, with what they were made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.training.notebook import APART, LOCAL, expect_whole, find_job, finish, list_home, succeed
from tests.namespaces import needs_namespaces

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

EACH = pytest.mark.parametrize("head", [LOCAL, pytest.param(APART, marks=needs_namespaces)], ids=["here", "apart"])
TRAINING = """
import torch
from choline_jupyter import checkpoint, log
torch.manual_seed(1)
rate = 0.01
model = torch.nn.Linear(600, 600)
optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
for step in range(5):
    loss = model(torch.randn(8, 600)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    log(step=step, total=5, loss=loss)
    checkpoint(step, loss=loss, model=model, optimizer=optimizer)
"""


@EACH
def test_the_last_checkpoints_are_home(kernel: DrivenKernel, isolation: Isolation, head: str) -> None:
    succeed(kernel, head + TRAINING)
    assert finish(kernel) == "[]"
    job = find_job(kernel)
    home = list_home(isolation, job)
    assert [path.name for path in home[-3:]] == [f"step-000000000{step}.pt" for step in (2, 3, 4)]
    records = [expect_whole(path) for path in home]
    assert records[-1]["step"] == 4
    assert records[-1]["parameters"] == {"rate": 0.01}
    assert records[-1]["cost"] == 0.0  # this machine is nobody else's
    assert [line for line in records[-1]["packages"] if line.startswith("torch==")]
    assert records[-1]["received"] < 0.95 * records[-1]["size"]  # 0 where it is written at home, elsewhere a difference
    listed = succeed(kernel, f"%choline checkpoints {job}").read()
    assert "step 4" in listed
    assert "rate=0.01" in listed
    assert "cost so far: 0.00 USD" in listed
    assert "step 4" in succeed(kernel, "%choline runs").read()


@needs_namespaces
def test_what_the_code_saves_by_itself_is_noticed(kernel: DrivenKernel, isolation: Isolation) -> None:
    code = """
import torch
from torch import nn
import torch.distributed.checkpoint as dcp
from safetensors.torch import save_file
net = nn.Linear(300, 300)
torch.save(net.state_dict(), "net.pt")
save_file(net.state_dict(), "out/net.safetensors") if __import__("os").makedirs("out") is None else 0
dcp.save({"net": net.state_dict()}, checkpoint_id="sharded", no_dist=True)
open("weights.mine", "wb").write(b"x" * 1000)
open("broken.pt", "wb").write(b"PK\\x03\\x04" + b"y" * 1000)
"""
    succeed(kernel, APART.rstrip() + " --checkpoint *.mine\n" + code)
    finish(kernel)
    home = list_home(isolation, find_job(kernel))
    sources = {expect_whole(path)["source"] for path in home}
    assert sources == {"net.pt", "out/net.safetensors", "sharded", "weights.mine"}
    [sharded] = [path for path in home if path.is_dir()]
    assert {inside.name for inside in sharded.iterdir()} >= {".metadata", "__0_0.distcp"}


@needs_namespaces
def test_a_policy_says_what_stays(kernel: DrivenKernel, isolation: Isolation) -> None:
    code = TRAINING.replace("loss=loss, model", "loss=abs(step - 1) + 1.0, model")
    succeed(kernel, APART.rstrip() + " --keep last=1,best=loss\n" + code)
    finish(kernel)
    names = [path.name for path in list_home(isolation, find_job(kernel))]
    assert names == ["step-0000000001.pt", "step-0000000004.pt"]


def test_a_policy_that_makes_no_sense_is_refused(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline --keep last=never\n1")
    assert run.reply["status"] == "error"
    assert "--keep 'last=never' is not understood" in run.reply["evalue"]


@needs_namespaces
def test_programs_that_a_cell_starts_may_checkpoint_too(kernel: DrivenKernel, isolation: Isolation) -> None:
    Path(isolation.folder / "train.py").write_text(TRAINING)
    succeed(kernel, APART + "import subprocess, sys\nsubprocess.run([sys.executable, 'train.py'], check=True)")
    finish(kernel)
    assert list_home(isolation, find_job(kernel))[-1].name == "step-0000000004.pt"


@needs_namespaces
def test_what_it_prints_is_progress(kernel: DrivenKernel) -> None:
    code = "for step in range(1, 31): print(f'step {step}/30 loss {1 / step:.4f} lr 1e-3')"
    succeed(kernel, APART + code)
    job = find_job(kernel)
    told = f"""
from choline_jupyter.model.event import Kind
from choline_jupyter.session.bridge import get_bridge
from choline_jupyter.session.progress_series import describe_progress
store = get_bridge().engine.store
store.flush()
events = [event.read_content() for event in store.read_job("{job}") if event.kind is Kind.PROGRESS]
(events[-1]["points"][-1][:2], describe_progress(store, store.find_job("{job}"))["metrics"])
"""
    assert succeed(kernel, told).read_result() == "([30, 30], {'loss': 0.0333, 'lr': 0.001})"
    assert "█" in succeed(kernel, f"%choline runs {job}").read()


@needs_namespaces
def test_a_cell_that_reads_the_folder_finds_them_where_they_were_made(
    kernel: DrivenKernel, isolation: Isolation
) -> None:
    """What came home from there does not go there again."""
    code = TRAINING.replace("600", "200")  # files that are large enough to go by their content
    succeed(kernel, APART + code)
    finish(kernel)
    job = find_job(kernel)
    run = succeed(kernel, APART + f"import os\nprint(sorted(os.listdir('checkpoints/{job}')))")
    assert "step-0000000004.pt" in run.read()
    assert run.read("stderr") == ""
