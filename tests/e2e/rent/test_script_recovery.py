"""A machine is lost in the middle of a script: it goes on on another one, from its own checkpoints, with what was typed."""

from __future__ import annotations

import io
import sys

import pytest

from choline_jupyter.cli import command
from choline_jupyter.model.job import JobState
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.rent.tenant import Tenant
from tests.e2e.rent.typist import Typist, keep, wait_for_file, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

LINE = "train.py --gpu 4x3090 --ranks {ranks} --provider memory --budget 2 --env none"
STEPS = 6
# The state after each step follows from the one before and from all ranks, in whole numbers.
TRAIN = """
import os, sys, time
import torch
import torch.distributed as dist
dist.init_process_group("gloo")
rank, start, state = dist.get_rank(), 0, 1
if os.path.exists("state.pt"):
    start, state = torch.load("state.pt")
for step in range(start, 6):
    part = torch.tensor(state * (rank + 3) + step)
    dist.all_reduce(part)
    state = int(part) % 1009
    if rank == 0:
        torch.save((step + 1, state), "state.new")
        os.replace("state.new", "state.pt")
        print("step", step, "state", state, flush=True)
    dist.barrier()
    while step == 3 and start == 0:
        time.sleep(0.01)
"""

# The same with choline's own checkpoints, which the first rank writes and every rank finds.
COOPERATE = """
import time
import torch
import torch.distributed as dist
from choline_jupyter import checkpoint, resume
dist.init_process_group("gloo")
class State(dict):
    def state_dict(self): return dict(self)
    def load_state_dict(self, state): self.update(state)
rank, kept = dist.get_rank(), State(value=1)
start = resume(kept=kept).step + 1
for step in range(start, 6):
    part = torch.tensor(kept["value"] * (rank + 3) + step)
    dist.all_reduce(part)
    kept["value"] = int(part) % 1009
    checkpoint(step, kept=kept)
    if rank == 0:
        print("step", step, "state", kept["value"], flush=True)
    dist.barrier()
    while step == 3 and start == 0:
        time.sleep(0.01)
"""


def compute(ranks: int) -> list[str]:
    """What an undisturbed run prints."""
    state, lines = 1, []
    for step in range(STEPS):
        state = sum(state * (rank + 3) + step for rank in range(ranks)) % 1009
        lines.append(f"step {step} state {state}")
    return lines


def check_goes_on(text: str, ranks: int) -> None:
    """Each line is that of an undisturbed run; behind the loss it goes on from a step that was made."""
    whole, lines = compute(ranks), text.splitlines()
    assert lines[:4] == whole[:4]
    assert lines[4:] == whole[-len(lines[4:]) :]
    assert 2 <= len(lines[4:]) < STEPS


@pytest.fixture
def typist(tenant: Tenant, home: Isolation, monkeypatch: pytest.MonkeyPatch) -> Typist:
    """At a terminal whose input has ended, in a folder with the script."""
    (home.folder / "train.py").write_text(TRAIN)
    tenant.tenancy.period = 0.5
    tenant.provider.hidden = [home.folder]
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(command, "start_keeper", lambda: None)
    return Typist(tenant.client)


@pytest.mark.parametrize(
    ("script", "found"), [(TRAIN, "from state.pt"), (COOPERATE, "from step ")], ids=["own", "choline"]
)
def test_a_script_of_two_ranks_goes_on_from_its_checkpoint(
    tenant: Tenant, typist: Typist, home: Isolation, capsys: pytest.CaptureFixture[str], script: str, found: str
) -> None:
    (home.folder / "train.py").write_text(script)
    typist.type(LINE.format(ranks=2))
    typist.wait_for("step 3")
    wait_for_file(home.folder, "checkpoints/*/*.json")
    tenant.client.call(tenant.provider.destroy("m1"))
    assert typist.finish() == 0
    check_goes_on(typist.read(), ranks=2)
    assert (typist.job.state, typist.job.attempt) == (JobState.DONE, 2)
    told = capsys.readouterr().err
    assert "was lost (gone) after" in told
    assert found in told
    assert "The machine is gone" in told
    assert not tenant.provider.alive


def test_a_detached_script_goes_on_while_nobody_is_there(tenant: Tenant, typist: Typist, home: Isolation) -> None:
    """The keeper has it go on, with all its ranks, and ends the machine behind it."""
    typist.type(f"{LINE.format(ranks=2)} --detach")
    assert typist.finish() == 0
    typist.wait_for("step 3")
    wait_for_file(home.folder, "checkpoints/*/*.json")
    tenant.client.close()
    with keep() as kept:
        kept.client.call(tenant.provider.destroy("m1"))
        wait_until(lambda: kept.job.state is JobState.DONE)
        check_goes_on(kept.read(), ranks=2)
        assert kept.job.attempt == 2
        wait_until(lambda: not tenant.provider.alive)


READ = """
import os, sys, time
print("hello", sys.stdin.readline().strip(), flush=True)
rest = sys.stdin.read()
is_first = not os.path.exists("begun")
open("begun", "w").write("yes")
while is_first:
    time.sleep(0.01)
print("and", rest.strip(), flush=True)
"""


def test_what_was_typed_is_typed_again(
    tenant: Tenant, typist: Typist, home: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.folder / "train.py").write_text(READ)
    (home.folder / "names").write_text("Ada\nGrace\n")
    with (home.folder / "names").open() as names:
        monkeypatch.setattr(sys, "stdin", names)
        typist.type(f"{LINE.format(ranks=1)} --checkpoint begun")
        wait_for_file(home.folder, "checkpoints/*/*.json")
    tenant.client.call(tenant.provider.destroy("m1"))
    assert typist.finish() == 0
    assert typist.read() == "hello Ada\nhello Ada\nand Grace\n"
