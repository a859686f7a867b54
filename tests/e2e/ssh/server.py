"""A real sshd on the loopback, with keys and configuration of its own, started by conftest.py.

Its sessions have a HOME of their own, so what is pushed and made there is made anew; everything else of the machine is
shared. `client` is a folder for PATH: an `ssh` in it finds the test's key and known_hosts and nothing of the user's.
"""

from __future__ import annotations

import getpass
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

_SERVER = "/usr/sbin/sshd"
_PATIENCE = 10.0

_CONFIG = """
Port {port}
ListenAddress {name}
HostKey {folder}/{key}
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/pid
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
AcceptEnv *
SetEnv HOME={home} XDG_STATE_HOME={home}/state XDG_CACHE_HOME={home}/cache {settings}
"""

_CLIENT = """#!/bin/sh
exec {ssh} -F {folder}/ssh_config -o IdentityFile={folder}/id -o IdentitiesOnly=yes -o UserKnownHostsFile={folder}/known_hosts \\
    -o GlobalKnownHostsFile=/dev/null "$@"
"""


def is_available() -> bool:
    """Whether this machine has an ssh client and server."""
    return Path(_SERVER).exists() and shutil.which("ssh") is not None


# An alias of the user's configuration whose only way is a program, as a tunnel's client is (Colab, for one).
_ALIAS = """
Host behind-a-proxy
    HostName 127.0.0.1
    Port {port}
    ProxyCommand {proxy}
"""
_PROXY = """
import os, socket, sys, threading
end = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def pass_in():
    while data := os.read(0, 65536):
        end.sendall(data)
threading.Thread(target=pass_in, daemon=True).start()
while data := end.recv(65536):
    os.write(1, data)
"""


class Server:
    """One sshd; `start` and `stop` may be called again, also with another host key (`use_key`).

    `name` is the address that it listens at, in a network namespace if one is named; there the folder `hidden` is an empty one.
    """

    def __init__(
        self, settings: str = "", name: str = "127.0.0.1", namespace: str = "", hidden: Path | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chs-"))
        self.home = self.folder / "home"
        self.home.mkdir()
        self._pid = self.folder / "pid"
        self.client = self.folder / "client"
        [self.port] = find_ports(1)
        self.name, self._enter = name, ["ip", "netns", "exec", namespace] if namespace else []
        if hidden:
            self._enter += ["sh", "-c", 'mount -t tmpfs tmpfs "$0" && exec "$@"', str(hidden)]
        self.address = f"{getpass.getuser()}@{name}:{self.port}"
        self._settings, self._key = settings, "host_key"
        for key in ("host_key", "other_key", "id"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key], check=True)
        shutil.copy(self.folder / "id.pub", self.folder / "authorized_keys")
        self._write_client()
        self.start()

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the host key in use."""
        told = subprocess.run(
            ["ssh-keygen", "-lf", self.folder / self._key], capture_output=True, text=True, check=True
        )
        return told.stdout.split()[1]

    def use_key(self, name: str) -> None:
        """Go on with another host key, as another machine at the same address would."""
        self.stop()
        self._key = name
        self.start()

    def start(self) -> None:
        config = self.folder / "sshd_config"
        text = _CONFIG.format(
            port=self.port,
            name=self.name,
            folder=self.folder,
            key=self._key,
            home=self.home,
            settings=self._settings,
        )
        config.write_text(text)
        Path("/run/sshd").mkdir(parents=True, exist_ok=True)
        self._pid.unlink(missing_ok=True)
        subprocess.run([*self._enter, _SERVER, "-f", config, "-E", self.folder / "log"], check=True)
        deadline = time.monotonic() + _PATIENCE
        while not (_answers(self.name, self.port) and self._find_parent()):
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server and cut every connection, as a lost network does; what runs in sessions goes on."""
        parent = self._find_parent()
        assert parent
        for process in [*parent.children(recursive=True), parent]:
            _kill_if_sshd(process)
        psutil.wait_procs([parent], timeout=_PATIENCE)

    def cut(self) -> None:
        """Kill the connections and leave the server."""
        parent = self._find_parent()
        assert parent
        for process in parent.children(recursive=True):
            _kill_if_sshd(process)

    def _find_parent(self) -> psutil.Process | None:
        """The server itself, which listens before it has written its whole line."""
        told = self._pid.read_text() if self._pid.exists() else ""
        return psutil.Process(int(told)) if told.endswith("\n") else None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_client(self) -> None:
        self.client.mkdir()
        (self.folder / "proxy.py").write_text(_PROXY)
        self.proxy = f"{sys.executable} {self.folder}/proxy.py %h %p"
        (self.folder / "ssh_config").write_text(_ALIAS.format(port=self.port, proxy=self.proxy))
        script = self.client / "ssh"
        script.write_text(_CLIENT.format(ssh=shutil.which("ssh"), folder=self.folder))
        script.chmod(0o755)


def find_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _kill_if_sshd(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):  # a connection that ends by itself meanwhile
        if process.name().startswith("sshd"):
            process.send_signal(signal.SIGKILL)


def _answers(name: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((name, port)) == 0
