"""The whole of it against the fake vast.ai, through the official package, from the command line: rent, run, pay, end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.session.keeping import find_keeper
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.agent_processes import wait_until
from tests.fakes.vast import VastCloud
from tests.source_tree import ROOT

pytestmark = [pytest.mark.vast, pytest.mark.timeout(240)]

LINE = ("--gpu", "4x3090", "--ranks", "1", "--provider", "vast", "--budget", "2", "--yes")


@pytest.fixture
def cloud(home: Isolation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VastCloud]:
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made = VastCloud(has_machines=True)
    (tmp_path / "fakes.json").write_text(json.dumps({"vast": made.tell()}))
    monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(tmp_path / "fakes.json"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield made
    made.close()


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "choline_jupyter", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_script_rents_runs_meters_and_ends_its_machine(cloud: VastCloud) -> None:
    Path("train.py").write_text(
        "import sys\nfor step in range(3): print('step', step)\nopen('made.txt', 'w').write('x')\n"
    )
    output, errors = start("train.py", *LINE).communicate(timeout=200)
    assert output.splitlines() == ["step 0", "step 1", "step 2"], errors
    assert Path("made.txt").read_text() == "x"
    assert "4x RTX 3090 on vast is there after" in errors
    assert re.search(
        r"of 2\.00 USD so far \(estimate\); peak \d+ MB, processor \d+ % busy\. The machine is gone\.", errors
    )
    assert not cloud.list_alive()
    [rental] = cloud.rentals.values()
    rows = start("budget", "--csv").communicate(timeout=120)[0].splitlines()
    total = float(rows[1].split(",")[-2])
    assert total == pytest.approx(cloud.bill(rental.handle), abs=0.01)


def test_the_machine_ends_itself_when_client_and_keeper_are_killed(cloud: VastCloud) -> None:
    Path("train.py").write_text("import time\nprint('on', flush=True)\nwhile True: time.sleep(1)\n")
    client = start("train.py", *LINE, "--deadline", "40s")
    assert client.stdout
    assert client.stdout.readline() == "on\n"
    client.kill()
    client.communicate()
    wait_until(find_keeper)
    os.kill(find_keeper(), signal.SIGKILL)
    assert cloud.list_alive()
    wait_until(lambda: not cloud.list_alive())
    told = [start("status").communicate(timeout=120)[0] for _ in range(2)][-1]
    assert "lost" in told
    assert "Rented machines" not in told


def test_offers_are_a_ranked_table_with_the_arithmetic(cloud: VastCloud) -> None:
    output, errors = start("offers", "--gpu", "a100").communicate(timeout=120)
    lines = output.splitlines()
    assert "THIS RUN" in lines[0], errors
    assert "machine" in lines[1]
