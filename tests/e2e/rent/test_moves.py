"""A session moves to a rented machine and from one to another; the old one ends, and a failure keeps it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.training.notebook import succeed
from tests.fakes.vast import VastCloud

pytestmark = [pytest.mark.vast, pytest.mark.timeout(300)]


@pytest.fixture
def cloud() -> Iterator[VastCloud]:
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made = VastCloud(has_machines=True)
    yield made
    made.close()


@pytest.fixture
def kernel(home: Isolation, cloud: VastCloud, tmp_path: Path) -> Iterator[DrivenKernel]:
    """A notebook whose user has agreed to what costs up to 2 USD."""
    (tmp_path / "fakes.json").write_text(json.dumps({"vast": cloud.tell()}))
    home.environment["CHOLINE_FAKE_CLOUD"] = str(tmp_path / "fakes.json")
    config = Path(home.environment["XDG_CONFIG_HOME"]) / "choline/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[money]\nauto_approve = 2\n")
    made = DrivenKernel(home)
    made.run(LOAD)
    yield made
    made.run("%choline stop --all --yes")
    made.close()


def test_from_here_to_one_machine_and_on_to_another(kernel: DrivenKernel, cloud: VastCloud) -> None:
    made = (
        "import threading\nclass Point: pass\npoint = Point(); point.x = 3; lock = threading.Lock(); many = [1.5] * 10"
    )
    succeed(kernel, "%%choline\n" + made)
    seen = "(point.x, lock.locked(), sum(many))"
    moved = succeed(kernel, "%choline move --gpu 3090 --provider vast --budget 1")
    assert "lost" not in moved.read()
    assert succeed(kernel, "%%choline\n" + seen).read_result() == "(3, False, 15.0)"
    [first] = cloud.list_alive()
    succeed(kernel, "%%choline\nmany.append(2.0)")
    moved = succeed(kernel, "%choline move --gpu a100 --provider vast --budget 1")
    assert "until it is moved both are paid for" in moved.read("stderr")
    assert succeed(kernel, "%%choline\n" + seen).read_result() == "(3, False, 17.0)"
    [second] = cloud.list_alive()
    assert first.handle != second.handle
    failed = kernel.run("%choline move --gpu b200 --provider vast --budget 1")
    assert "was not moved" in failed.reply["evalue"]
    assert "Still costing money: 1x A100 40GB on vast, 0.80 USD/h" in failed.reply["evalue"]
    assert [one.handle for one in cloud.list_alive()] == [second.handle]
    assert succeed(kernel, "%%choline\n" + seen).read_result() == "(3, False, 17.0)"
