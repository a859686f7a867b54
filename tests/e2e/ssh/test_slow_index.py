"""A host whose package index does not answer: what is asked of a session meanwhile is done at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.e2e.kernels.driven_kernel import PATIENCE, DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.ssh.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    bare = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # nobody accepts
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        made = Server(f"PATH={bare}/bin:{os.defpath} PIP_CONFIG_FILE=/dev/null PIP_INDEX_URL={index}")
        yield made
        made.close()


def start(kernel: DrivenKernel, server: Server, session: str, code: str) -> Run:
    """Start a cell and return when its packages are being installed."""
    head = f"%%choline --host {server.address} --accept-host-key {server.fingerprint} --session {session}\n"
    run = kernel.start(head + code)
    kernel.wait_for(lambda: "installing ipykernel" in run.read("stderr"))
    return run


def find_installers(server: Server) -> list[psutil.Process]:
    """The pip of an environment in the host's home."""
    home = str(server.home)
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if "pip" in (line := process.info["cmdline"] or [""]) and home in line[0]]


def test_interrupted(kernel: DrivenKernel, server: Server) -> None:
    run = start(kernel, server, "interrupted", "never = 1")
    kernel.interrupt()
    assert kernel.finish(run).reply["status"] == "error"
    assert "interrupted before it began" in run.read_error()


def test_stopped(kernel: DrivenKernel, server: Server, isolation: Isolation) -> None:
    kernel.run("%choline stop --all --yes")
    run = start(kernel, server, "stopped", "never = 1")
    kernel.wait_for(lambda: find_installers(server))
    [installer] = find_installers(server)
    other = DrivenKernel(isolation)
    other.run("%load_ext choline_jupyter")
    other.run("%choline stop stopped --yes")
    assert kernel.finish(run).reply["status"] == "error"
    assert not psutil.wait_procs([installer], timeout=PATIENCE)[1]
    other.close()
