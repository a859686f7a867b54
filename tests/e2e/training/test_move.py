"""A session on the move: what its names become on the other machine, and what happens to the old one."""

from __future__ import annotations

import re

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.training.notebook import succeed
from tests.namespaces import needs_namespaces

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

MADE = """
import math
import collections as c
import numpy as np
class Point:
    def __init__(self, x): self.x = x
    def double(self): return Point(2 * self.x)
def grow(points, by=math.pi): return [Point(p.x + by) for p in points]
points = grow([Point(1), Point(2)])
same = points
table = np.arange(300_000, dtype="float64").reshape(3, -1)
count = 1
"""
CHANGED = """
points.append(Point(9.0)); table[0, 0] = 42; count += 1
numbers = (n * n for n in range(10))
first = next(numbers)
handle = open("/dev/null")
fromhere.append("over there")
import threading
lock = threading.Lock()
"""
SEEN = (
    "(points[2].double().x, same is points, float(table[0, 0]), table.shape, count, next(numbers), grow([])"
    ", fromhere, c.Counter('aab')['a'], handle.closed, lock.locked())"
)


def read_table(text: str) -> dict[str, str]:
    rows = [re.split(r"  +", line, maxsplit=1) for line in text.splitlines() if "  " in line]
    return {row[0]: row[1].strip() for row in rows}


@pytest.mark.parametrize(
    "there",
    ["--session other", pytest.param("--isolated --session apart", marks=needs_namespaces)],
    ids=["here", "apart"],
)
def test_names_are_there_and_the_old_session_is_not(kernel: DrivenKernel, there: str) -> None:
    succeed(kernel, "fromhere = ['here']")
    succeed(kernel, "%%choline --session old\n" + MADE)
    succeed(kernel, "%%choline\n" + CHANGED)
    before = succeed(kernel, "%%choline\n" + SEEN.replace("next(numbers)", "1")).read_result()
    run = succeed(kernel, f"%choline move {there}")
    table = read_table(run.read())
    assert table["points"] == "carried"
    assert table["table"] == "carried 2.4 MB"
    assert table["grow"] == table["Point"] == table["np"] == "its text run again"
    assert table["numbers"] == table["handle"] == table["lock"] == "cells run again"
    assert "lost" not in run.read()
    assert succeed(kernel, "%%choline\n" + SEEN).read_result() == before
    status = succeed(kernel, "%choline status").read()
    assert there.rsplit(maxsplit=1)[-1] in status
    old = next(line for line in status.splitlines() if "old" in line) if " old" in status else ""
    assert "ready" not in old
    succeed(kernel, "%choline stop --yes")


def test_a_trained_model_is_built_again_and_its_state_carried(kernel: DrivenKernel) -> None:
    build = """
import torch
torch.manual_seed(3)
net = torch.nn.Linear(4, 1)
optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
"""
    train = """
trainings = globals().get("trainings", 0) + 1
for step in range(5):
    loss = net(torch.ones(2, 4)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
"""
    state = "(net.weight.tolist(), optimizer.state_dict()['state'][0]['exp_avg'].tolist(), trainings)"
    succeed(kernel, "%%choline --session trainer\n" + build)
    succeed(kernel, "%%choline\n" + train)
    before = succeed(kernel, "%%choline\n" + state).read_result()
    table = read_table(succeed(kernel, "%choline move --session second").read())
    assert table["net"] == table["optimizer"] == "cells run again, its state carried"
    assert succeed(kernel, "%%choline\n" + state).read_result() == before
    bound = "all(any(p is q for q in net.parameters()) for g in optimizer.param_groups for p in g['params'])"
    assert succeed(kernel, "%%choline\n" + bound).read_result() == "True"
    succeed(kernel, "%choline stop --yes")


def test_what_cannot_be_had_is_said(kernel: DrivenKernel) -> None:
    succeed(kernel, "%%choline --session asked\nimport threading\nkept = 1\nlock = threading.Lock()")
    succeed(kernel, "%%choline\nimport string\nstring.mine = 3\nclass Config: rate = 1\nConfig.rate = 2")
    kernel.run("%%choline\nlock = threading.Lock()\n1 / 0")
    table = read_table(succeed(kernel, "%choline move --session fresh").read())
    assert table["lock"].startswith("lost")
    assert "which failed" in table["lock"]
    assert table["string.mine"] == table["Config.rate"] == "lost                set by a cell: set it again"
    assert succeed(kernel, "%%choline\nkept").read_result() == "1"
    succeed(kernel, "%choline stop --yes")


def test_an_older_value_of_this_side_does_not_come_back(kernel: DrivenKernel) -> None:
    succeed(kernel, "x = 1")
    succeed(kernel, "%%choline --session one\nx += 1")
    succeed(kernel, "%choline move --session two")
    assert succeed(kernel, "%%choline\nx").read_result() == "2"
    succeed(kernel, "x = 10")
    assert succeed(kernel, "%%choline\nx").read_result() == "10"
    succeed(kernel, "%choline stop --yes")


def test_a_move_that_fails_leaves_the_session(kernel: DrivenKernel) -> None:
    succeed(kernel, "%%choline --session stays\nx = 5")
    run = kernel.run("%choline move --host nobody@127.0.0.1:1")
    assert "was not moved, it is still on this machine" in run.reply["evalue"]
    assert succeed(kernel, "%%choline\nx").read_result() == "5"
    assert "is there already" in kernel.run("%choline move --session stays").reply["evalue"]
    succeed(kernel, "%choline stop --yes")


def test_one_that_fails_when_the_new_one_is_there_ends_that(kernel: DrivenKernel) -> None:
    succeed(kernel, "%%choline --session stays\nx = 6")
    succeed(
        kernel,
        """
import choline_jupyter.magic.relocation as _relocation
from choline_jupyter.errors import ConnectionLost as _Lost
_fill = _relocation.Move._fill
def _fail(*arguments): raise _Lost("The machine went away.", "Try another one.")
_relocation.Move._fill = _fail
""",
    )
    run = kernel.run("%choline move --session gone")
    succeed(kernel, "_relocation.Move._fill = _fill")
    assert "was not moved, it is still on this machine: The machine went away." in run.reply["evalue"]
    assert "gone" not in [line.split()[0] for line in succeed(kernel, "%choline status").read().splitlines() if line]
    assert succeed(kernel, "%%choline\nx").read_result() == "6"


def test_two_sessions_do_not_become_one(kernel: DrivenKernel) -> None:
    succeed(kernel, "%%choline --session first\nx = 1")
    succeed(kernel, "%%choline --session second\nx = 2")
    assert "would mix" in kernel.run("%choline move --session first").reply["evalue"]
    assert succeed(kernel, "%%choline --session first\nx").read_result() == "1"
    for name in ("first", "second"):
        succeed(kernel, f"%choline stop {name} --yes")


def test_a_session_at_work_is_not_moved(kernel: DrivenKernel) -> None:
    succeed(kernel, "%%choline --detach --session busy\nimport time\nwhile True: time.sleep(0.1)")
    assert "still runs there" in kernel.run("%choline move --session calm").reply["evalue"]
    succeed(kernel, "%choline stop busy --yes")
