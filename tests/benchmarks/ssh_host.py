"""A host behind a real sshd, on the loopback or at the far end of a link, and its peers' ways to run a cell there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import KernelConnectionInfo

from choline_jupyter.session.spec import SessionSpec
from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.home import Home
from tests.benchmarks.plain_kernel import PATIENCE, PlainKernel
from tests.benchmarks.timing import Timing
from tests.e2e.ssh.server import Server, find_ports
from tests.net.link import Link


class SSHHost:
    """Its `ssh` must be first in PATH while it is used (`entered`). Nothing of it is left behind `close`."""

    def __init__(self, link: Link | None = None) -> None:
        self._home = Home()
        agent = self._home.environment["CHOLINE_AGENT_HOME"]
        settings = f"PATH={Path(sys.executable).parent}:/usr/bin:/bin CHOLINE_AGENT_HOME={agent}"
        self.server = Server(settings, link.address, link.namespace) if link else Server(settings)
        key = (self.server.folder / "host_key.pub").read_text()
        (self.server.folder / "known_hosts").write_text(f"[{self.server.name}]:{self.server.port} {key}")
        self.place = SessionSpec("", "ssh", self.server.address, str(self._home.path))
        name, _, port = self.server.address.rpartition(":")
        self.ssh = (str(self.server.client / "ssh"), "-p", port, name)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This process finds that `ssh` while the block runs."""
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{self.server.client}:{before}"
        try:
            yield
        finally:
            os.environ["PATH"] = before

    def shake_hands(self) -> float:
        """Seconds that ssh takes to log in and run nothing."""
        start = time.perf_counter()
        subprocess.run([*self.ssh, "true"], check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - start

    def clear(self) -> None:
        """End all that choline runs there; what it keeps on the disk stays."""
        while left := self._home.list_processes():
            for process in left:
                process.kill()
            time.sleep(0.05)

    def close(self) -> None:
        self._home.close()
        self.server.close()


class TunnelledKernel(PlainKernel):
    """The peer: a plain kernel over there, its five ports here by `ssh -L`."""

    def __init__(self, host: SSHHost) -> None:
        super().__init__()
        self._direct = self.client
        info: dict[str, Any] = {**self._direct.get_connection_info()}
        names = [name for name in info if name.endswith("_port")]
        ports = dict(zip(names, find_ports(len(names)), strict=True))
        forwards = [part for name in names for part in ("-L", f"{ports[name]}:127.0.0.1:{info[name]}")]
        *ssh, address = host.ssh
        self._tunnel = subprocess.Popen([*ssh, "-N", *forwards, address], stdin=subprocess.DEVNULL)
        self.client = BlockingKernelClient()
        self.client.load_connection_info(cast("KernelConnectionInfo", {**info, **ports}))
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def close(self) -> None:
        self._direct.stop_channels()
        super().close()
        self._tunnel.terminate()
        self._tunnel.wait()


class ExecPerCell:
    """The peer: `ssh host python3 -c` for every cell, over a connection that stands already."""

    def __init__(self, host: SSHHost) -> None:
        *ssh, address = host.ssh
        control = str(host.server.folder / "master")
        self._command = [*ssh, "-o", f"ControlPath={control}", "-o", "ControlMaster=auto", "-T", address]
        self._master = subprocess.Popen(
            [*ssh, "-o", f"ControlPath={control}", "-M", "-N", address], stdin=subprocess.DEVNULL
        )
        while not Path(control).exists():
            time.sleep(0.01)

    def run(self, code: str) -> Timing:
        start = time.perf_counter()
        command = [*self._command, f"python3 -c 'print({code})'"]
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        passed = time.perf_counter() - start
        return Timing(first=passed, done=passed)

    def close(self) -> None:
        self._master.terminate()
        self._master.wait()


def open_driver(host: SSHHost) -> Iterator[EngineDriver]:
    """The engine with a session on the host, until the generator is resumed."""
    with host.entered():
        driver = EngineDriver(host.place)
        driver.open("bench")
        driver.wait_for_preload()
        driver.run("import os; assert 'SSH_CONNECTION' in os.environ")
    yield driver
    driver.stop()
    driver.close()
