"""A host of its own on this machine: its own root, processes, network and users, with an sshd to reach it by.

    with Host(make_root(cache)) as host:
        host.add_user("anna")
        OpenSSHTransport(parse_address(host.find_address("anna")), settings=host.settings)

It is a Debian in mount, pid, network and uts namespaces, joined to this machine by a veth pair and to nothing else: it
has no Internet. All of it is gone when the first process of its pid namespace is.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

_PATIENCE = 20.0

_CONFIG = """
HostKey /etc/ssh/test_key
AuthorizedKeysFile .ssh/authorized_keys
PasswordAuthentication no
UsePAM no
UseDNS no
StrictModes no
LogLevel VERBOSE
"""
# The devices that programs expect; /tmp and /run are empty at each start, as after a reboot.
_START = """
set -e
mount --make-rprivate /
mount -t overlay overlay -o lowerdir={root},upperdir={folder}/upper,workdir={folder}/work {folder}/root
cd {folder}/root
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777{tmp} tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs run
mkdir run/sshd
{more}
ip link set lo up
exec chroot . /usr/sbin/sshd -D -e -f /etc/ssh/test_config
"""


class Host:
    """Owns the processes of one host; `start` and `stop` are its power switch, its disk stays between them.

    `home_size` (as `mount -o size=` has it) puts /home on a small disk; `tmp_options` are of the mount of /tmp, `sshd` is
    added to its sshd's configuration, where the first value counts.
    """

    def __init__(self, root: Path, *, home_size: str = "", tmp_options: str = "", sshd: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chd-"))
        self._root, self._home_size, self._tmp_options = root, home_size, tmp_options
        self._sshd = sshd
        number = _take_number()
        self._name = self._link = f"chd-{number}"
        self.name = f"10.213.{number}.2"
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("upper", "work", "root", "upper/etc", "upper/etc/ssh", "upper/home"):
            (self.folder / name).mkdir()
        self._write_keys()
        self._join_network()

    @property
    def settings(self) -> tuple[str, ...]:
        """OpenSSH's options for a client that has the key and knows the host."""
        return (
            f"IdentityFile={self.folder}/id",
            "IdentitiesOnly=yes",
            f"UserKnownHostsFile={self.folder}/known_hosts",
            "GlobalKnownHostsFile=/dev/null",
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def find_address(self, user: str = "root") -> str:
        return f"{user}@{self.name}"

    def start(self) -> None:
        """Power on; returns when sshd listens."""
        more = f"mount -t tmpfs -o mode=755,size={self._home_size} tmpfs home" if self._home_size else ""
        tmp = f",{self._tmp_options}" if self._tmp_options else ""
        script = _START.format(root=self._root, folder=self.folder, more=more, tmp=tmp)
        enter = ["ip", "netns", "exec", self._name, "unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*enter, "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE
        while not _answers(self.name):
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.02)

    def stop(self) -> None:
        """Power off, without a word: every process of it is killed."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(_PATIENCE)
            self._process = None

    def run(self, *command: str, text: str = "") -> str:
        """A command as root in there; returns what it prints."""
        pid = self._find_first()
        enter = ["nsenter", "--target", str(pid), "--mount", "--pid", "--net", "--uts", "--root", "--wd=/"]
        done = subprocess.run([*enter, *command], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def add_user(self, name: str, shell: str = "/bin/bash") -> None:
        """An ordinary user who can log in with the key."""
        self.run("useradd", "--create-home", "--shell", shell, "--password", "*", name)
        self._allow(name, f"/home/{name}")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file in there, root's."""
        self.run("sh", "-c", f"cat > '{path}' && chmod {mode:o} '{path}'", text=text)

    def list_processes(self, user: str = "") -> list[str]:
        """Command lines of what runs in there, sshd and what looks at it aside; of one user or of all."""
        lines = []
        for entry in self.run(
            "sh", "-c", "for p in /proc/[0-9]*; do echo $(stat -c %U $p) $(tr '\\0' ' ' < $p/cmdline); done"
        ).splitlines():
            owner, _, line = entry.partition(" ")
            if user in ("", owner) and line and "sshd" not in line and "/proc/" not in line:
                lines.append(line)
        return lines

    def wait_for_silence(self, user: str) -> None:
        """Return when nothing of a user runs any more; fails when something does not end."""
        deadline = time.monotonic() + _PATIENCE
        while left := self.list_processes(user):
            assert time.monotonic() < deadline, left
            time.sleep(0.05)

    def close(self) -> None:
        self.stop()
        subprocess.run(["ip", "netns", "del", self._name], check=False)
        subprocess.run(["ip", "link", "del", self._link], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _find_first(self) -> int:
        """The process that is number 1 in there, as this machine counts."""
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0])

    def _allow(self, user: str, home: str) -> None:
        self.run("mkdir", "-p", f"{home}/.ssh")
        self.write(f"{home}/.ssh/authorized_keys", (self.folder / "id.pub").read_text())
        self.run("chown", "-R", user, f"{home}/.ssh")

    def _write_keys(self) -> None:
        ssh = self.folder / "upper" / "etc" / "ssh"
        for path in (self.folder / "id", ssh / "test_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        (ssh / "test_config").write_text(self._sshd + _CONFIG)
        key = " ".join((ssh / "test_key.pub").read_text().split()[:2])
        (self.folder / "known_hosts").write_text(f"{self.name} {key}\n")

    def _join_network(self) -> None:
        here, inside = self._link, f"{self._link}i"
        network = self.name.rpartition(".")[0]
        for command in (
            f"ip link add {here} type veth peer name {inside} netns {self._name}",
            f"ip address add {network}.1/24 dev {here}",
            f"ip link set {here} up",
            f"ip -n {self._name} address add {self.name}/24 dev {inside}",
            f"ip -n {self._name} link set {inside} up",
        ):
            subprocess.run(command.split(), check=True)


def _take_number() -> int:
    """One that no other host on this machine has: its namespace exists from now on."""
    for number in range(1, 250):
        taken = subprocess.run(["ip", "netns", "add", f"chd-{number}"], check=False, capture_output=True)
        if taken.returncode == 0:
            return number
    raise RuntimeError("every number for a host is taken: ip netns list")


def _answers(name: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((name, 22)) == 0
