"""A script on machines that are rented for it: the command, RunPod's API, an sshd on each machine, torchrun, nothing left out."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.nodes.rack import Command, copy_script, wait_until
from tests.fakes.runpod import RunPodCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
LINE = ("--nodes", "2", "--gpu", "4090", "--provider", "runpod", "--budget", "2", "--env", "none")
LOSSES = ["6 loss 0x1.0f37ea0000000p-1", "7 loss 0x1.07f9f00000000p+0"]  # when nothing is lost
ON = "import time\nprint('on', flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def isolation() -> Iterator[Isolation]:
    made = Isolation()
    made.environment["OMP_NUM_THREADS"] = "1"
    copy_script(made)
    yield made
    for process in made.find_processes():  # the keeper looks again in ten minutes
        process.kill()
    made.close()


@pytest.fixture
def cloud(isolation: Isolation) -> Iterator[RunPodCloud]:
    """Whose machines are not there."""
    yield from open_cloud(isolation, RunPodCloud())


@pytest.fixture
def real(isolation: Isolation) -> Iterator[RunPodCloud]:
    """Whose machines are real, and do not have the user's files."""
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made = RunPodCloud(has_machines=True)
    made.hidden = [isolation.folder]
    yield from open_cloud(isolation, made)


def open_cloud(isolation: Isolation, cloud: RunPodCloud) -> Iterator[RunPodCloud]:
    told = isolation.folder.parent / "fakes.json"
    told.write_text(json.dumps({"runpod": cloud.tell()}))
    isolation.environment["CHOLINE_FAKE_CLOUD"] = str(told)
    yield cloud
    cloud.close()


def start(isolation: Isolation, script: str, *words: str) -> Command:
    return Command([script, *LINE, "--yes", "--", *words], isolation)


def read_total(isolation: Isolation) -> float:
    """What the ledger says that all machines have cost."""
    command = Command(["budget", "--csv"], isolation)
    command.finish()
    return sum(float(row["total"]) for row in csv.DictReader(command.lines))


@pytest.mark.kernel_feature
def test_lost_machine_is_replaced_and_the_training_goes_on(isolation: Isolation, real: RunPodCloud) -> None:
    command = start(isolation, "train.py", "--steps", "8", "--wait", "never")
    command.wait_for("step 5")
    wait_until(lambda: list(isolation.folder.glob("checkpoints/*/*-0005.json")))
    lost = real.list_alive()[0]
    real.end(lost.handle)
    assert command.finish() == 0, "".join(command.lines)
    said = "".join(command.lines)
    assert f"({lost.label}) is lost.\n" in said
    assert command.find("[node 0] rank 0 of 2 attempt 1 begins at") == ["6"]
    assert command.find("[node 1] rank 1 of 2 attempt 1 begins at") == ["6"]
    assert [one for one in command.find("[node 0] step") if one.startswith(("6 ", "7 "))] == LOSSES
    assert "3 rented machines; 0." in said
    assert said.endswith(" of 2.00 USD in all (estimate). All are gone.\n")
    assert not real.list_alive()
    assert all(rental.detail["globalNetworking"] is True for rental in real.rentals.values())
    assert read_total(isolation) == pytest.approx(sum(map(real.bill, real.rentals)), abs=0.01)


def test_one_that_cannot_be_had_ends_the_other(isolation: Isolation, cloud: RunPodCloud) -> None:
    cloud.fail("create", "400")
    command = start(isolation, "train.py")
    assert command.finish() == 1
    said = "".join(command.lines)
    assert "No machine came to run (runpod NVIDIA GeForce RTX 4090 in the secure cloud: runpod has refused" in said
    assert "choline: nothing was kept" in said
    assert re.search(r"1 rented machines; 0\.0\d+ USD of 2\.00 USD in all \(estimate\)\. All are gone\.", said)
    assert "Still costing money" not in said
    assert len(cloud.rentals) == 1
    assert not cloud.list_alive()


@pytest.mark.parametrize("boot_looks", [10_000, 0])
def test_interrupt_while_machines_boot_or_are_connected_to(
    isolation: Isolation, cloud: RunPodCloud, boot_looks: int
) -> None:
    cloud.boot_looks = boot_looks
    command = start(isolation, "train.py")
    wait_until(lambda: sum(rental.looks > 0 for rental in cloud.rentals.values()) == 2)
    command.signal(signal.SIGINT)
    assert command.finish() == 130
    assert "choline: nothing was kept" in "".join(command.lines)
    assert re.search(r"2 rented machines; .*All are gone\.", command.lines[-1])
    assert len(cloud.rentals) == 2
    assert not cloud.list_alive()


@pytest.mark.kernel_feature
def test_interrupt_while_a_lost_machine_is_replaced(isolation: Isolation, real: RunPodCloud) -> None:
    (isolation.folder / "on.py").write_text(ON)
    command = start(isolation, "on.py")
    command.wait_for("[node 1] on")
    real.boot_looks = 10_000
    real.end(real.list_alive()[1].handle)
    wait_until(lambda: len(real.rentals) == 3 and real.rentals["pod3"].looks > 0)
    command.signal(signal.SIGINT)
    assert command.finish() == 130
    assert "3 rented machines" in command.lines[-1]
    assert command.lines[-1].endswith("All are gone.\n")
    assert not real.list_alive()


@pytest.mark.kernel_feature
def test_they_end_by_themselves_when_client_and_keeper_are_killed(isolation: Isolation, real: RunPodCloud) -> None:
    (isolation.folder / "on.py").write_text(ON)
    command = Command(["on.py", *LINE, "--yes", "--deadline", "12s"], isolation)
    wait_until(lambda: len(real.rentals) == 2)
    command.signal(signal.SIGKILL)
    for process in isolation.find_processes():
        process.kill()
    command.finish()
    wait_until(lambda: not real.list_alive())
