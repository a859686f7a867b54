"""A machine that a fake cloud rents out: an sshd in pid and mount namespaces of its own, on a port of the loopback.

It is what a container of a marketplace is: root's home, /etc/ssh, /run, /var/tmp and what is `hidden` are its own and empty; the
rest of the file system and the network are this machine's. `startup` runs beside sshd, as `onstart` and cloud-init do. When it
is ended, every process in it is, with SIGKILL, as when a host pulls the plug.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.e2e.ssh.server import find_ports

_PATIENCE = 20.0
_TRIES = 3
_NAMES = ("root", "ubuntu")
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
AuthorizedKeysFile .ssh/authorized_keys
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv PATH={path}
"""
# What belongs to it is mounted over what this machine has; the private key of its sshd is its own until `startup` brings one.
_BOOT = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/ssh /etc/ssh
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind {folder}/var-tmp /var/tmp
{hide}
mkdir -p /run/sshd
[ -s /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
cd {folder}/home
export HOME={folder}/home
sh {folder}/startup > {folder}/startup.log 2>&1 &
exec /usr/sbin/sshd -D -e -f {folder}/sshd_config
"""


class Machine:
    """Owns the processes of one machine. `environment` is what its first process has; ended by `end`.

    Its image has this Python with its packages; one that `is_bare` has what this system brought. Of the folders that are
    `hidden` it has the names only.
    """

    def __init__(
        self,
        startup: str,
        environment: Mapping[str, str] | None = None,
        authorized: str = "",
        *,
        is_bare: bool = False,
        hidden: Sequence[Path] = (),
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chm-"))
        for name in ("home", "home/.ssh", "ssh"):
            (self.folder / name).mkdir(mode=0o700)
        if authorized:
            (self.folder / "home/.ssh/authorized_keys").write_text(authorized + "\n")
        (self.folder / "var-tmp").mkdir()
        (self.folder / "var-tmp").chmod(0o1777)
        (self.folder / "startup").write_text(startup)
        (self.folder / "passwd").write_text(write_passwd(self.folder / "home"))
        self._hidden = hidden
        path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        path = path if is_bare else f"{Path(sys.executable).parent}:{path}"
        for _ in range(_TRIES):
            [self.port] = find_ports(1)
            (self.folder / "sshd_config").write_text(_CONFIG.format(port=self.port, path=path))
            self._environment = {"PATH": path, **(environment or {})}
            self._process = self._boot(self._environment)
            if self._comes_up():
                break
        self.address = f"root@127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> None:
        """Until sshd listens; a provider says `running` at about that time."""
        deadline = time.monotonic() + _PATIENCE
        while not self.listens():
            assert self.is_running, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.01)

    def _comes_up(self) -> bool:
        """Whether it listens; one whose port was taken in the meantime ends at once."""
        deadline = time.monotonic() + _PATIENCE
        while self.is_running and not self.listens() and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.is_running

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self) -> None:
        """Pull the plug and take its disk away. May be called again."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(_PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def freeze(self) -> None:
        """Stop it, as a spot machine is that was outbid: processes are killed, the disk stays."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(_PATIENCE)

    def thaw(self) -> None:
        """Start it again: the same disk, the same address, what was ordered to run first runs again."""
        assert not self.is_running
        self._process = self._boot(self._environment)
        assert self._comes_up(), (self.folder / "log").read_text()[-2000:]

    def _boot(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        hide = "\n".join(f"mount -t tmpfs tmpfs {shlex.quote(str(folder))}" for folder in self._hidden)
        script = _BOOT.format(folder=self.folder, hide=hide)
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*enter, "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(environment),
                cwd="/",
            )


def write_passwd(home: Path) -> str:
    """This machine's users for /etc/passwd; root has another home and, as in Ubuntu's cloud images, another name."""
    lines = Path("/etc/passwd").read_text().splitlines()
    others = [line for line in lines if line.partition(":")[0] not in ("root", "ubuntu")]
    return "".join(f"{line}\n" for line in [*(f"{name}:x:0:0:root:{home}:/bin/bash" for name in _NAMES), *others])
