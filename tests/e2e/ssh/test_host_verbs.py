"""`doctor --host`, `offers` and `stop --purge` on a real host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.ssh.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture
def configured(isolation: Isolation, server: Server) -> Iterator[None]:
    """`lab` is the server; nobody answers at `attic`."""
    folder = Path(isolation.environment["XDG_CONFIG_HOME"]) / "choline"
    folder.mkdir(parents=True, exist_ok=True)
    text = f'[hosts.lab]\nhost = "{server.address}"\n[hosts.attic]\nhost = "nobody@127.0.0.1:1"\ngpus = "2x3090"\n'
    (folder / "config.toml").write_text(text)
    yield
    (folder / "config.toml").unlink()


def find_files(server: Server) -> list[str]:
    return sorted(str(path.relative_to(server.home)) for path in server.home.rglob("*"))


def find_processes(server: Server) -> list[psutil.Process]:
    """What runs out of that home."""
    return [process for process in psutil.process_iter() if _uses(process, str(server.home))]


def _uses(process: psutil.Process, home: str) -> bool:
    try:
        return process.environ().get("HOME") == home
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def test_the_doctor_looks_at_a_host(kernel: DrivenKernel, server: Server) -> None:
    run = kernel.run(f"%choline doctor --host {server.address} --accept-host-key {server.fingerprint}")
    assert re.search(rf"{re.escape(server.address)} answers, after \d+\.\d s", run.read())
    assert re.search(r"Its python3 has ipykernel \d+", run.read())


def test_the_doctor_says_why_a_host_cannot_be_reached(kernel: DrivenKernel) -> None:
    run = kernel.run("%choline doctor --host nobody@127.0.0.1:1")
    assert run.reply["status"] == "error"
    assert "127.0.0.1:1" in run.read_error()


def test_offers_list_what_answers(kernel: DrivenKernel, configured: None) -> None:
    lines = kernel.run("%choline offers").read().splitlines()
    [here] = [line for line in lines if "this machine" in line]
    [lab] = [line for line in lines if line.startswith("ssh") and " lab " in line]
    assert here.split()[-3:] == lab.split()[-3:], "the host is this machine"
    assert [line for line in lines if line.startswith("ssh") and "attic" in line and "2x3090" in line]
    [note] = [line for line in lines if line.startswith("!")]
    assert "attic" in note


def test_a_stopped_session_leaves_no_process_and_keeps_the_cache(kernel: DrivenKernel, server: Server) -> None:
    kernel.run(f"%%choline --host {server.address}\nimport subprocess\nchild = subprocess.Popen(['sleep', '613'])")
    assert find_processes(server)
    kernel.run("%choline stop --all --yes")
    assert not psutil.wait_procs(find_processes(server), timeout=30)[1]
    assert any("agent" in name for name in find_files(server))


def test_a_purge_leaves_nothing(kernel: DrivenKernel, server: Server) -> None:
    kernel.run(f"%%choline --host {server.address}\nimport subprocess\nchild = subprocess.Popen(['sleep', '614'])")
    (server.home / "data.txt").write_text("the user's own")
    told = kernel.run(f"%choline stop --purge --host {server.address} --yes").read()
    assert f"removed all of choline on {server.address}" in told
    assert not psutil.wait_procs(find_processes(server), timeout=30)[1]
    files = [path for path in server.home.rglob("*") if path.is_file() and ".ipython" not in path.parts]
    assert files == [server.home / "data.txt"]
    assert kernel.run(f"%%choline --host {server.address}\n'again'").read_result() == "'again'"
