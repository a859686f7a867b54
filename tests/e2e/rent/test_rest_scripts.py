"""A script on a machine of the fake Lambda and RunPod: the command, the REST API, sshd and the agent, nothing left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.fakes.cloud import Cloud
from tests.fakes.lambda_cloud import LambdaCloud
from tests.fakes.runpod import RunPodCloud

PATIENCE = 40.0
SCRIPT = "import os\nprint('ran', 'on', os.environ['HOME'].split('/')[2][:4], 'CHOLINE_STARTUP' in os.environ)\n"
CLOUDS = {"lambda": LambdaCloud, "runpod": RunPodCloud}

pytestmark = [pytest.mark.e2e, pytest.mark.kernel_feature, pytest.mark.timeout(240)]


@pytest.fixture
def clouds(home: Isolation, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Cloud]]:
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made: dict[str, Cloud] = {name: kind(has_machines=True) for name, kind in CLOUDS.items()}
    told = Path(home.folder) / "fakes.json"
    told.write_text(json.dumps({name: cloud.tell() for name, cloud in made.items()}))
    monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(told))
    yield made
    for cloud in made.values():
        cloud.close()


def run(home: Isolation, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "choline_jupyter", *arguments]
    return subprocess.run(command, cwd=home.folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", sorted(CLOUDS))
def test_a_script_rents_a_machine_and_gives_it_back(clouds: dict[str, Cloud], home: Isolation, name: str) -> None:
    cloud = clouds[name]
    (Path(home.folder) / "job.py").write_text(SCRIPT)
    ran = run(home, "job.py", "--gpu", "a100", "--provider", name, "--budget", "2", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "ran on chm- False\n"
    assert f"on {name}" in ran.stderr
    assert cloud.calls.count("create") == 1
    [rental] = cloud.rentals.values()
    assert rental.label.startswith("choline-")
    until = time.monotonic() + PATIENCE
    while cloud.list_alive():
        assert time.monotonic() < until, ran.stderr
        time.sleep(0.05)


def test_what_may_not_end_itself_is_not_rented_without_a_word(clouds: dict[str, Cloud], home: Isolation) -> None:
    (Path(home.folder) / "job.py").write_text(SCRIPT)
    ran = run(home, "job.py", "--gpu", "a100", "--provider", "lambda", "--budget", "2")
    assert ran.returncode != 0
    assert "nobody has agreed" in ran.stderr
    assert clouds["lambda"].rentals == {}


def test_offers_of_all_are_one_table_and_doctor_knows_them(clouds: dict[str, Cloud], home: Isolation) -> None:
    text = run(home, "offers", "--gpu", "a100").stdout
    assert "gpu_1x_a100_sxm4 in us-east-1" in text
    assert "NVIDIA A100 80GB PCIe in the secure cloud" in text
    clouds["lambda"].fail("offers", "500")
    text = run(home, "offers", "--gpu", "a100").stdout
    assert "lambda" in text.partition("runpod")[2], "who is down is a footnote"
    told = run(home, "doctor").stdout
    assert "  runpod: ready\n" in told
    assert "lambda: ready; its machines do not end by themselves" in told
