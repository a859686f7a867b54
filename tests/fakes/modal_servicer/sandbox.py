"""A sandbox: pid and mount namespaces of its own around its main process; programs are started beside that by exec.

Made by `cloud`; lives in the servicer's loop. Root's home, /run, /mnt and /var/tmp are its own and empty, volumes are folders
that outlive it; the rest is this machine. When its main process ends, every process in it does.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.fakes.machine import write_passwd
from tests.fakes.modal_servicer.program import Program

_BOOT = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount --bind {folder}/passwd /etc/passwd
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
mount -t tmpfs tmpfs /mnt
{volumes}
cd {folder}/home
echo up > {folder}/up
exec {command}
"""
_UP = 20.0


class Sandbox:
    """Owns the processes of one sandbox; `start` it, `end` it. `volumes` are mount points by the folders they show."""

    def __init__(self, command: Sequence[str], volumes: Mapping[str, Path]) -> None:
        self._command, self._volumes = command, volumes
        self.folder = Path(tempfile.mkdtemp(prefix="chb-"))
        (self.folder / "home").mkdir(mode=0o700)
        (self.folder / "passwd").write_text(write_passwd(self.folder / "home"))
        self._programs: dict[str, Program] = {}
        self._main: asyncio.subprocess.Process | None = None
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        self._environment = {"PATH": path, "HOME": str(self.folder / "home")}

    async def start(self) -> None:
        """Returns when its main process runs."""
        volumes = "\n".join(
            f"mkdir -p {point}; mount --bind {shlex.quote(str(folder))} {point}"
            for point, folder in self._volumes.items()
        )
        script = _BOOT.format(folder=self.folder, volumes=volumes, command=shlex.join(self._command))
        with (self.folder / "log").open("ab") as log:
            self._main = await asyncio.create_subprocess_exec(
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment, cwd="/",
            )  # fmt: skip
        await asyncio.wait_for(self._come_up(self._main), _UP)

    async def wait(self) -> int:
        """The code that its main process ends with."""
        assert self._main
        return await self._main.wait()

    async def run(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: str) -> None:
        """Start a program in it; a name that is there already is not started again."""
        assert self._main
        if name in self._programs:
            return
        [first] = psutil.Process(self._main.pid).children()
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *("nsenter", "--target", str(first.pid), "--mount", "--pid", f"--wd={folder or self.folder / 'home'}", "--"),
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env={**self._environment, **environment}, limit=1 << 20,
        )  # fmt: skip
        self._programs[name] = Program(process)

    async def _come_up(self, main: asyncio.subprocess.Process) -> None:
        while not (self.folder / "up").exists():
            assert main.returncode is None, (self.folder / "log").read_text()
            await asyncio.sleep(0.01)

    def find(self, name: str) -> Program | None:
        return self._programs.get(name)

    def kill(self) -> None:
        """Pull the plug; `wait` returns then."""
        if self._main and self._main.returncode is None:
            self._main.kill()

    async def end(self) -> None:
        """Take what is left of it away."""
        self.kill()
        if self._main:
            await self._main.wait()
        for program in self._programs.values():
            await program.end()
        shutil.rmtree(self.folder, ignore_errors=True)
