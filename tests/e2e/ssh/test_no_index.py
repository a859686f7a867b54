"""A host whose Python has no ipykernel and which reaches no package index: what it lacks comes through the client."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.ssh.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NOWHERE = "PIP_CONFIG_FILE=/dev/null PIP_INDEX_URL=http://127.0.0.1:1/ PIP_FIND_LINKS="


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its `python3` has the standard library and nothing else."""
    bare = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    made = Server(f"PATH={bare}/bin:{os.defpath} {NOWHERE}")
    yield made
    made.close()


def test_packages_come_through_the_client(server: Server, kernel: DrivenKernel, tmp_path: Path) -> None:
    wishes = tmp_path / "requirements.txt"
    wishes.write_text("tabulate==0.9.0\n")
    head = f"%%choline --host {server.address} --accept-host-key {server.fingerprint} --env {wishes}\n"
    run = kernel.run(head + "import tabulate, ipykernel, sys\ntabulate.__version__, sys.prefix")
    assert "('0.9.0'," in run.read_result()
    told = run.read("stderr")
    assert [part for part in ("through your machine", "sending", "installing") if part not in told] == []
    home = server.home / "state" / "choline" / "agent"
    assert not list(home.glob("blobs/*"))
    assert not list(home.glob("wheels/*"))
    assert "MB" not in kernel.run(head.replace("--env", "--session again --env") + "1").read("stderr")
