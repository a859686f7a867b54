"""A script on machines that are rented for it: the command, RunPod's API, an sshd on each machine, torchrun, nothing left out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.nodes.rack import Command, copy_script, wait_until
from tests.fakes.runpod import RunPodCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
LINE = ("--nodes", "2", "--gpu", "4090", "--provider", "runpod", "--budget", "2", "--env", "none")


@pytest.fixture
def isolation() -> Iterator[Isolation]:
    made = Isolation()
    copy_script(made)
    yield made
    made.close()


@pytest.fixture
def cloud(isolation: Isolation) -> Iterator[RunPodCloud]:
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made = RunPodCloud(has_machines=True)
    told = isolation.folder.parent / "fakes.json"
    told.write_text(json.dumps({"runpod": made.tell()}))
    isolation.environment["CHOLINE_FAKE_CLOUD"] = str(told)
    yield made
    made.close()


@pytest.mark.kernel_feature
def test_lost_machine_is_replaced_and_all_are_ended(isolation: Isolation, cloud: RunPodCloud) -> None:
    command = Command(["train.py", *LINE, "--yes", "--", "--steps", "8", "--wait", "never"], isolation)
    command.wait_for("step 5")
    wait_until(lambda: list(isolation.folder.glob("checkpoints/*/*-0005.json")))
    first, second = cloud.list_alive()
    cloud.end(second.handle)
    assert command.finish() == 0, "".join(command.lines)
    print("".join(command.lines))
    assert not cloud.list_alive()
