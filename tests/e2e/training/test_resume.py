"""A job that did not end goes on elsewhere, as if nothing had happened."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.training.notebook import APART, LOCAL, find_job, finish, list_home, succeed
from tests.namespaces import needs_namespaces

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

PREPARE = """
import torch, os
from choline_jupyter import checkpoint, log, resume
torch.manual_seed(7)
net = torch.nn.Sequential(torch.nn.Linear(50, 50), torch.nn.Dropout(0.5), torch.nn.Linear(50, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
"""
TRAIN = """
start = resume(net=net, optimizer=optimizer).step + 1
for step in range(start, 8):
    loss = net(torch.randn(8, 50)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    print("step %d/8 loss %.9f" % (step, loss), flush=True)
    checkpoint(step, loss=loss, net=net, optimizer=optimizer)
    if dies and step == 4:
        os._exit(9)
"""
PLAIN = """
import glob, os, time, torch
count = torch.load("state/last.pt") if os.path.exists("state/last.pt") else torch.zeros(1)
os.makedirs("state", exist_ok=True)
while count < 6:
    count += 1
    torch.save(count, "state/last.pt")
    if count == 3 and dies:
        while not glob.glob("checkpoints/*/*-last.pt"):  # real trainings take longer than a copy
            time.sleep(0.01)
        os._exit(9)
"""


def read_losses(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("step ")]


@pytest.mark.parametrize("head", [LOCAL, pytest.param(APART, marks=needs_namespaces)], ids=["here", "apart"])
def test_it_goes_on_bit_by_bit(kernel: DrivenKernel, isolation: Isolation, head: str) -> None:
    succeed(kernel, head + PREPARE)
    undisturbed = read_losses(succeed(kernel, head + "dies = False\n" + TRAIN).read())
    assert len(undisturbed) == 8
    succeed(kernel, head + PREPARE)
    succeed(kernel, "dies = True")
    died = kernel.run(head + TRAIN)
    assert died.reply["ename"] == "KernelDied"
    finish(kernel)
    job = find_job(kernel)
    succeed(kernel, "dies = False")
    resumed = succeed(kernel, f"%choline resume {job} {head[10:].strip()}")
    assert "first the cells that it relies on" in resumed.read("stderr")
    losses = read_losses(resumed.read())
    kept = int(losses[0].split()[1].partition("/")[0])
    assert losses == undisturbed[kept:]
    assert kept >= 4  # at most one interval is done again
    finish(kernel)
    assert list_home(isolation, job)[-1].name == "step-0000000007.pt"  # it goes on in the folder of the first


@needs_namespaces
def test_a_plain_loop_finds_its_file(kernel: DrivenKernel, isolation: Isolation) -> None:
    succeed(kernel, "dies = True")
    assert kernel.run(APART + PLAIN).reply["ename"] == "KernelDied"
    finish(kernel)
    job = find_job(kernel)
    (isolation.folder / "state").mkdir(exist_ok=True)
    (isolation.folder / "state/last.pt").write_bytes(b"something of the user's")
    succeed(kernel, "dies = False")
    resumed = succeed(kernel, f"%choline resume {job} --isolated --session elsewhere")
    assert "state/last.pt" in resumed.read("stderr")
    assert succeed(kernel, "%%choline --isolated --session elsewhere\ncount").read_result() == "tensor([6.])"
    [earlier] = (isolation._root / "choline_home/earlier").rglob("last.pt")
    assert earlier.read_bytes() == b"something of the user's"


@needs_namespaces
def test_it_goes_on_from_the_store_when_home_has_lost_all(kernel: DrivenKernel, isolation: Isolation) -> None:
    store = isolation._root / "store"
    succeed(kernel, APART + PREPARE)
    succeed(kernel, "dies = True")
    assert kernel.run(f"{APART.rstrip()} --store file://{store}\n{TRAIN}").reply["ename"] == "KernelDied"
    finish(kernel)
    waited = "[one.checkpoints.uploads.wait(60) for one in _get_bridge().engine.sessions.values()]"
    waited = f"from choline_jupyter.session.bridge import get_bridge as _get_bridge\n{waited}"
    assert "False" not in succeed(kernel, waited).read_result()
    job = find_job(kernel)
    newest = list_home(isolation, job)[-1].name
    succeed(kernel, "%choline stop --yes")  # its machine has nothing any more
    shutil.rmtree(isolation.folder / "checkpoints")
    assert newest in [path.name for path in (store / job).iterdir()]
    succeed(kernel, "dies = False")
    resumed = succeed(kernel, f"%choline resume {job} --isolated")
    assert f"{newest} came from the store" in resumed.read("stderr")
    assert f"goes on from {newest}" in resumed.read("stderr")
    assert read_losses(resumed.read())[-1].startswith("step 7/8")
    finish(kernel)
    succeed(kernel, waited)
    assert (store / job / "step-0000000007.pt.json").exists()  # the new attempt's go there, too


def test_a_store_that_is_none_is_refused_before_anything_is_opened(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline --session nowhere --store nosuch://x\n1")
    assert "no store that fsspec knows" in run.reply["evalue"]
    assert "nowhere" not in succeed(kernel, "%choline status").read()


def test_a_job_without_checkpoints_is_not_resumed(kernel: DrivenKernel) -> None:
    succeed(kernel, LOCAL + "1 + 1")
    run = kernel.run(f"%choline resume {find_job(kernel)}")
    assert "has made no checkpoint" in run.reply["evalue"]


def test_a_job_that_runs_is_not_resumed(kernel: DrivenKernel) -> None:
    succeed(kernel, "%%choline --detach --session busy\nimport time\nwhile True: time.sleep(0.1)")
    run = kernel.run(f"%choline resume {find_job(kernel)}")
    assert "still runs" in run.reply["evalue"]
    succeed(kernel, "%choline stop busy --yes")


@needs_namespaces
def test_a_rerun_does_the_same_and_says_what_is_different(kernel: DrivenKernel) -> None:
    succeed(kernel, APART + PREPARE)
    first = read_losses(succeed(kernel, APART + "dies = False\n" + TRAIN).read())
    finish(kernel)
    job = find_job(kernel)
    again = succeed(kernel, f"%choline rerun {job}")
    assert read_losses(again.read()) == first
    assert "commit, packages and files are what they were" in again.read("stderr")
    compared = succeed(kernel, f"%choline runs {job} {find_job(kernel)}").read()
    assert "best loss" not in compared
