"""A training whose machine is lost: from the moment in which that is known for sure to its next step, beside a cold start."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from choline_jupyter.model.event import Kind
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.options import parse_cell
from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.home import Home
from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import choose, interleave
from tests.fakes.machine_provider import MachineProvider, install

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Checkpoints"
LINE = "--gpu 4x3090 --ranks 1 --provider memory --budget 2"
# 3.2 million parameters: with AdamW's moments a checkpoint of 38 MB.
TRAIN = """
import time, torch
from choline_jupyter import checkpoint, resume
torch.manual_seed(7)
net = torch.nn.Sequential(*(torch.nn.Linear(1024, 1024) for _ in range(3)))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.001)
found = resume(net=net, optimizer=optimizer)
for step in range(found.step + 1, 1_000_000):
    loss = net(torch.randn(8, 1024)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    print("step", step, flush=True)
    if step % 10 == 0 and found.step < 0:
        checkpoint(step, loss=loss, net=net, optimizer=optimizer)
    while step == 10:
        time.sleep(0.01)
"""


@pytest.fixture
def provider(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MachineProvider]:
    """Its machines do not have the folder that this process works in."""
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made = MachineProvider()
    monkeypatch.chdir(tmp_path)
    made.hidden = [tmp_path]
    install(made, monkeypatch)
    yield made
    made.close()


class Training:
    """One training in a session of its own, on a machine that was never seen before."""

    def __init__(self, provider: MachineProvider) -> None:
        self._provider, self._driver = provider, EngineDriver()
        self._tenancy = self._driver.bridge.engine.tenancy
        self._tenancy.watch, self._tenancy.period = lambda: None, 0.5
        self._tenancy._agree = self._agree
        self._go_on, self._tenancy.on_loss = self._tenancy.on_loss, self._note_loss
        self.lost = 0.0

    def start(self) -> float:
        """The seconds from asking for a machine to the first step."""
        begun = time.perf_counter()
        self.session = self._driver.open("training", make_spec(f"training {begun}", parse_cell(LINE).options))
        job = JobRow(make_identifier("j"), self.session.row.id)
        header = {"msg_id": job.id, "count": 1, "allow_stdin": False}
        self._driver.bridge.post(self.session.run, job, TRAIN, header, b"")
        return self._wait_for_step(1) - begun

    def lose(self) -> float:
        """The seconds from the confirmed loss of the machine, when two checkpoints are home, to the next step."""
        for _ in range(2):
            while self._driver._read(self.session).kind is not Kind.CHECKPOINT:
                pass
        self._driver.bridge.call(self.session.finish_fetches())
        self._driver.bridge.call(self._provider.destroy(next(iter(self._provider.alive))))
        return self._wait_for_step(2) - self.lost

    def close(self) -> None:
        self._driver.stop()
        self._driver.close()

    def _wait_for_step(self, attempt: int) -> float:
        event = self._driver._read(self.session)
        while event.kind is not Kind.STREAM or event.attempt != attempt:
            assert event.kind is not Kind.ERROR, event.read_content()
            event = self._driver._read(self.session)
        assert attempt == 1 or event.read_content()["text"].startswith("step 11"), "it has begun anew"
        return time.perf_counter()

    async def _agree(self, _question: str) -> bool:
        return True

    async def _note_loss(self, label: str) -> bool:
        self.lost = time.perf_counter()
        return await self._go_on(label)


def test_from_a_loss_to_the_next_step(report: Report, provider: MachineProvider) -> None:
    """One and the same training gives both figures; they come in turn."""

    def lose_one() -> Mapping[str, float]:
        training = Training(provider)
        cold = training.start()
        recovered = training.lose()
        training.close()
        return {"cold": cold, "recovered": recovered}

    lose_one()
    found = interleave({"training": lose_one}, rounds=choose(10, 2))
    what = "lost machine, from its confirmed loss to the next training step, checkpoint of 38 MB"
    peer = "cold start, from the wish to the first step"
    report.add(SECTION, Row(what, found["training recovered"], found["training cold"], peer, Goal(3), Unit("s", 1)))
