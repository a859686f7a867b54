"""A small training of a script on several nodes: FSDP2, a checkpoint of all ranks at every second step, the newest one resumed.

Run by choline, started by the tests of this folder. What it learns depends on the step alone, so any number of ranks that divides
8 comes to the same losses.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.fsdp import fully_shard

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=8)
parser.add_argument("--kill", default="")  # RANK:STEP, in the first attempt
parser.add_argument("--fail", type=int, default=-1)  # a rank
parser.add_argument("--wait", default="")  # a file that says that the others may go on from step 5
options = parser.parse_args()

dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
attempt = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
torch.manual_seed(7)
model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
fully_shard(model)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)


def find_newest() -> int:
    """The step of the newest checkpoint that is whole, -1 for none."""
    return max((int(path.parent.name) for path in Path("saved").glob("*/.metadata")), default=-1)


def find_state() -> dict[str, Any]:
    """What a checkpoint holds."""
    weights, moments = get_state_dict(model, optimizer)
    return {"weights": weights, "moments": moments}


first = find_newest() + 1
if first:
    state = find_state()
    load(state, checkpoint_id=f"saved/{first - 1:04d}")
    set_state_dict(model, optimizer, model_state_dict=state["weights"], optim_state_dict=state["moments"])
print(f"rank {rank} of {world} attempt {attempt} begins at {first}", flush=True)
for step in range(first, options.steps):
    generator = torch.Generator().manual_seed(step)
    x, y = torch.randn(8, 16, generator=generator), torch.randn(8, 1, generator=generator)
    loss = torch.nn.functional.mse_loss(model(x.chunk(world)[rank]), y.chunk(world)[rank])
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    mean = loss.detach().clone()
    dist.all_reduce(mean)
    if rank == options.fail and step == 3:
        raise ValueError("boom")
    if attempt == 0 and options.kill == f"{rank}:{step}":
        os.kill(os.getpid(), 9)
    print(f"step {step} loss {float(mean / world).hex()}", flush=True)
    if step % 2:
        save(find_state(), checkpoint_id=f"saved/{step:04d}")
    while options.wait and attempt == 0 and step == 5 and not Path(options.wait).exists():
        time.sleep(0.02)
