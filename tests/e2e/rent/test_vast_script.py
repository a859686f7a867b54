"""A script on a machine of the fake vast.ai: the command, the official package, sshd and the agent, nothing left out."""

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
from tests.fakes.vast import VastCloud

PATIENCE = 40.0
SCRIPT = "import os\nprint('ran', 'on', os.environ['HOME'].split('/')[2][:4])\n"

pytestmark = [pytest.mark.vast, pytest.mark.timeout(120)]


@pytest.fixture
def cloud() -> Iterator[VastCloud]:
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made = VastCloud(has_machines=True)
    yield made
    made.close()


def test_a_script_rents_a_machine_and_gives_it_back(cloud: VastCloud, home: Isolation) -> None:
    told = Path(home.folder) / "fakes.json"
    told.write_text(json.dumps({"vast": cloud.tell()}))
    (Path(home.folder) / "job.py").write_text(SCRIPT)
    command = "-m choline_jupyter job.py --gpu 3090 --provider vast --budget 1 --yes".split()
    environment = {**os.environ, "CHOLINE_FAKE_CLOUD": str(told), "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, *command], cwd=home.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "ran on chm-\n"
    assert "1x RTX 3090 on vast" in ran.stderr
    assert cloud.calls.count("create") == 1
    [rental] = cloud.rentals.values()
    assert rental.label.startswith("choline-")
    until = time.monotonic() + PATIENCE
    while cloud.list_alive():
        assert time.monotonic() < until, ran.stderr
        cloud.ended.wait(1)
