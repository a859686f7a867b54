"""A checkpoint that four ranks have written goes on on two and on one, sharded, replicated or plain, to the same losses."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.kernels import driven_kernel
from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PROGRAM = """
import os
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def make(kind, seed):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
    net = fully_shard(model) if kind == "fsdp" else DistributedDataParallel(model) if kind == "ddp" else model
    return net, torch.optim.AdamW(model.parameters(), lr=1e-2)


def train(net, optimizer, steps):
    losses = []
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        x, y = torch.randn(16, 16, generator=generator), torch.randn(16, 1, generator=generator)
        loss = torch.nn.functional.mse_loss(net(x.chunk(world)[rank]), y.chunk(world)[rank])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean = loss.detach().clone()
        if world > 1:
            dist.all_reduce(mean)
        losses.append(float(mean) / world)
    return losses


def save(net, optimizer):
    weights, moments = get_state_dict(net, optimizer)
    dcp.save({"weights": weights, "moments": moments}, checkpoint_id="shards")


def resume(kind):
    net, optimizer = make(kind, 99)  # other first weights: what counts is the checkpoint
    weights, moments = get_state_dict(net, optimizer)
    state = {"weights": weights, "moments": moments}
    dcp.load(state, checkpoint_id="shards")
    set_state_dict(net, optimizer, model_state_dict=state["weights"], optim_state_dict=state["moments"])
    return train(net, optimizer, range(5, 15))
"""


@pytest.fixture(scope="module")
def kernel(isolation: Isolation) -> Iterator[DrivenKernel]:
    """A kernel in a project with the program."""
    (isolation.folder / "program.py").write_text(PROGRAM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driven_kernel, "PATIENCE", 250.0)  # four ranks import FSDP, which takes seconds of processor each
        made = DrivenKernel(isolation)
        made.run(LOAD)
        yield made
        made.run("%choline stop --all --yes")
        made.close()


@pytest.fixture(scope="module")
def ahead(kernel: DrivenKernel) -> list[float]:
    """The losses of four ranks that go on."""
    code = (
        "import json, program\nnet, optimizer = program.make('fsdp', 1)\n_ = program.train(net, optimizer, range(5))\n"
        "program.save(net, optimizer)\nprint('losses', json.dumps(program.train(net, optimizer, range(5, 15))))"
    )
    return read(kernel, f"%%choline --ranks 4\n{code}")


def read(kernel: DrivenKernel, cell: str) -> list[float]:
    run = kernel.run(cell)
    assert run.reply["status"] == "ok", run.read()
    line = next(line for line in run.read().splitlines() if line.startswith("losses "))
    return [float(loss) for loss in json.loads(line.removeprefix("losses "))]


@pytest.mark.parametrize(("ranks", "kind"), [(4, "fsdp"), (2, "fsdp"), (2, "ddp"), (1, "plain")])
def test_goes_on_to_the_same_losses(kernel: DrivenKernel, ahead: list[float], ranks: int, kind: str) -> None:
    code = f"import json, program\nprint('losses', json.dumps(program.resume({kind!r})))"
    resumed = read(kernel, f"%%choline --ranks {ranks}\n{code}")
    worst = max(abs(one - other) / one for one, other in zip(ahead, resumed, strict=True))
    print(f"{kind} on {ranks}: {worst:.1e}")
    assert worst <= (0 if ranks == 4 else 1e-6)
