"""Machines for the contract tests: this one, this one again behind an sshd of its own, and a sandbox.

Each has a home of its own for the agent; `end` ends what was started in it and fails when more than the agent has to be
ended, and `find_carriers` shows what a transport has running on this side.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from choline_jupyter.transport.address import parse_address
from choline_jupyter.transport.channel import Transport
from choline_jupyter.transport.openssh import OpenSSHTransport
from choline_jupyter.transport.paramiko_ssh import ParamikoTransport
from choline_jupyter.transport.pipe import PipeTransport
from tests.contracts.modal_host import make_transport
from tests.e2e.ssh.server import Server

PATIENCE = 30
Make = Callable[["Host", tuple[str, ...]], Transport]


class Host:
    """One machine and the way to it."""

    def __init__(self, make: Make, server: Server | None = None, handle: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chh-"))
        self.home = self.folder / "agent"
        self.server, self.handle = server, handle
        self._make = make
        self._before = set(psutil.pids())

    def make_transport(self, *options: str) -> Transport:
        return self._make(self, ("--home", str(self.home), *options))

    def find_carriers(self) -> list[str]:
        """Programs of the transport: children of the tests' process."""
        children = psutil.Process().children()
        return [" ".join(child.cmdline()) for child in children if child.pid not in self._before]

    def count_logins(self) -> int:
        """How often somebody has logged in to the host."""
        return (self.server.folder / "log").read_text().count("Accepted publickey") if self.server else 0

    def find_agents(self) -> list[psutil.Process]:
        """Processes of the agent; its supervisor keeps the command line of its connector."""
        return [process for process in psutil.process_iter() if str(self.home) in _read_command(process)]

    def find_pids(self) -> list[int]:
        """The process ids that the agents have in their own eyes."""
        return [_read_pid(process) for process in self.find_agents()]

    def end(self) -> None:
        """The agent ends when it is asked to; nothing may need more than that."""
        for process in self.find_agents():
            process.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs(self.find_agents(), timeout=PATIENCE)
        for process in left:
            process.send_signal(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not left, f"still running: {left}"


def make_pipe(host: Host, options: tuple[str, ...]) -> Transport:
    return PipeTransport(options=options)


def make_openssh(host: Host, options: tuple[str, ...]) -> Transport:
    assert host.server
    folder = host.server.folder
    settings = (f"IdentityFile={folder}/id", "IdentitiesOnly=yes", f"UserKnownHostsFile={folder}/known_hosts",
                "GlobalKnownHostsFile=/dev/null")  # fmt: skip
    address = parse_address(host.server.address)
    return OpenSSHTransport(address, accept_key=host.server.fingerprint, options=options, settings=settings)


def make_paramiko(host: Host, options: tuple[str, ...]) -> Transport:
    assert host.server
    folder = host.server.folder
    settings = {"identityfile": f"{folder}/id", "userknownhostsfile": f"{folder}/known_hosts"}
    address = parse_address(host.server.address)
    return ParamikoTransport(address, accept_key=host.server.fingerprint, options=options, settings=settings)


def make_modal(host: Host, options: tuple[str, ...]) -> Transport:
    return make_transport(host.handle, options)


def start_server() -> Server:
    """A host whose `python3` is the one that runs the tests."""
    return Server(f"PATH={Path(sys.executable).parent}:{os.defpath}")


def _read_pid(process: psutil.Process) -> int:
    """In the innermost of its pid namespaces."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return process.pid


def _read_command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
