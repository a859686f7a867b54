"""What carried a connection that has gone silent is ended on this side while the network still says nothing."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.ssh.far_host import FarHost, make_far_host

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PING = 0.5  # seconds
PATIENCE = 10.0  # seconds, below the time after which ssh would give up by itself (30 to 45)


def find_clients(far: FarHost) -> list[psutil.Process]:
    return [process for process in far.home.find_processes() if process.name() == "ssh"]


def find_control_folder(client: psutil.Process) -> Path:
    [path] = [part.partition("=")[2] for part in client.cmdline() if part.startswith("ControlPath=")]
    return Path(path).parent


def test_no_ssh_of_a_silent_connection_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    with make_far_host(monkeypatch, ping=PING) as far:
        far.start()
        [client] = find_clients(far)
        folder = find_control_folder(client)
        assert folder.is_dir()
        far.proxy.freeze()
        wait_until(lambda: not far.is_connected)
        assert psutil.wait_procs([client], timeout=PATIENCE)[1] == []
        wait_until(lambda: not folder.exists())
        far.proxy.reset()
        far.proxy.thaw()
        far.expect_everything()
