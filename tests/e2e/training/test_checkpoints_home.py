"""Checkpoints of a cell come home while it runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.namespaces import needs_namespaces

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TRAINING = """
import torch
from choline_jupyter import checkpoint, log, resume
torch.manual_seed(1)
rate = 0.01
model = torch.nn.Linear(600, 600)
optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
start = resume(model=model, optimizer=optimizer).step + 1
for step in range(start, 4):
    loss = model(torch.randn(8, 600)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    log(step=step, total=4, loss=loss)
    checkpoint(step, loss=loss, model=model, optimizer=optimizer)
start
"""


def list_home(isolation: Isolation) -> list[Path]:
    """The checkpoints of the newest job at home, oldest first."""
    folders = sorted((isolation.folder / "checkpoints").iterdir(), key=lambda path: path.stat().st_mtime)
    return sorted(path for path in folders[-1].iterdir() if not path.name.endswith(".json"))


def expect_whole(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.with_name(path.name + ".json").read_text())
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["size"] == path.stat().st_size
    return record


@pytest.mark.parametrize("head", ["%%choline\n", pytest.param("%%choline --isolated\n", marks=needs_namespaces)])
def test_the_last_checkpoints_are_home(kernel: DrivenKernel, isolation: Isolation, head: str) -> None:
    run = kernel.run(head + TRAINING)
    assert run.reply["status"] == "ok", run.reply
    kernel.run("from choline_jupyter.session.bridge import get_bridge\nbridge = get_bridge()")
    kernel.run("[bridge.call(session.finish_fetches()) for session in bridge.engine.sessions.values()]")
    home = list_home(isolation)
    assert {path.name for path in home} >= {f"step-000000000{step}.pt" for step in (1, 2, 3)}
    record = expect_whole(home[-1])
    assert record["step"] == 3
    assert record["parameters"] == {"rate": 0.01}
    assert record["cost"] is None
    assert record["received"] < 0.95 * record["size"]  # 0 where it was written at home, a difference elsewhere
