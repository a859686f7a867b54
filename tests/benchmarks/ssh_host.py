"""A host for the benchmarks: an sshd on the loopback, or at the other end of a slow link, and what goes there.

The peers are what people do without choline: a kernel whose ports are forwarded (`ssh -L`), a program per cell.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

from jupyter_client.blocking.client import BlockingKernelClient

from choline_jupyter.session.spec import SessionSpec
from tests.benchmarks.plain_kernel import PATIENCE, PlainKernel
from tests.benchmarks.timing import Timing
from tests.e2e.ssh.server import Server

PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def start_server(name: str = "127.0.0.1", namespace: str = "") -> Server:
    """An sshd whose `python3` is this one."""
    return Server(f"PATH={Path(sys.executable).parent}:{os.defpath}", name, namespace)


def make_spec(server: Server, session: str) -> SessionSpec:
    """A session on that host; its key is accepted by its fingerprint."""
    return SessionSpec(session, "ssh", server.address, accept_key=server.fingerprint)


class TunnelledKernel(PlainKernel):
    """The peer: a plain kernel whose five ports come through `ssh -N -L`."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        info: dict[str, Any] = dict(self.client.get_connection_info())
        ports = {name: _find_port() for name in PORTS}
        forwards = [part for name in PORTS for part in ("-L", f"{ports[name]}:127.0.0.1:{info[name]}")]
        self._tunnel = subprocess.Popen([*_make_command(server, *forwards, "-N"), server.name])
        _wait_for(ports["shell_port"])
        self.client.stop_channels()
        self.client = BlockingKernelClient()
        self.client.load_connection_info(cast("Any", {**info, **ports}))
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def close(self) -> None:
        super().close()
        self._tunnel.terminate()
        self._tunnel.wait(PATIENCE)


class ProgramPerCell:
    """The peer: `ssh host python -c CODE`, a connection and an interpreter for each cell; no state is kept."""

    def __init__(self, server: Server) -> None:
        self._command = [*_make_command(server), server.name]

    def run(self, code: str) -> Timing:
        start = time.perf_counter()
        subprocess.run(
            [*self._command, shlex.join(["python3", "-c", f"print({code})"])], check=True, capture_output=True
        )
        passed = time.perf_counter() - start
        return Timing(first=passed, done=passed)


def measure_round_trip(server: Server) -> float:
    """Seconds until a TCP connection stands, which takes exactly one round trip."""
    start = time.perf_counter()
    with socket.create_connection((server.name, server.port)):
        return time.perf_counter() - start


def _make_command(server: Server, *options: str) -> list[str]:
    return [str(server.client / "ssh"), "-o", "StrictHostKeyChecking=yes", "-p", str(server.port), *options]


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError("the tunnel does not stand")
