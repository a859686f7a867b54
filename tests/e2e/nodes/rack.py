"""Machines of one rack, each a network namespace with an sshd and a home of its own; a user who runs scripts on them.

Made by the tests of this folder and by tests/faults. `run` starts the command as the user would; `close` fails when anything
is left.
"""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from tests.e2e.kernels.isolation import MARK, Isolation
from tests.e2e.ssh.server import Server
from tests.net.segment import Segment

SCRIPT = Path(__file__).with_name("train.py")
PATIENCE = 200.0


def wait_until(condition: Callable[[], object]) -> None:
    """Look again and again; two nodes import torch several times, which may take a busy machine a minute."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def copy_script(isolation: Isolation) -> None:
    """Have the script in a project's folder, without what it has saved."""
    shutil.rmtree(isolation.folder / "saved", ignore_errors=True)
    shutil.copy(SCRIPT, isolation.folder)


def list_leftovers(isolation: Isolation) -> list[str]:
    """What of a script's ranks still runs anywhere."""
    found = []
    for process in isolation.find_processes():
        with suppress(psutil.Error):  # one that has ended meanwhile
            found.append(" ".join(process.cmdline()))
    return [command for command in found if "entry.py" in command]


class Command:
    """The command while it runs; what it says is read line by line."""

    def __init__(self, arguments: list[str], isolation: Isolation) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "choline_jupyter", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=isolation.environment,
            cwd=isolation.folder,
        )
        self.lines: list[str] = []
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, text: str, patience: float = PATIENCE) -> None:
        """Until a line holds a text."""
        while text not in (line := self._queue.get(timeout=patience)):
            assert line, f"{text!r} was not said in {''.join(self.lines)}"

    def finish(self, patience: float = 240.0) -> int:
        """The exit status."""
        while self._queue.get(timeout=patience):
            pass
        assert self._process.stdout
        self._process.stdout.close()
        return self._process.wait(10)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def find(self, start: str) -> list[str]:
        """The lines that begin so, without that."""
        return [line.removeprefix(start).strip() for line in self.lines if line.startswith(start)]

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put("")


class Rack:
    """`machines` are addresses for --host, `names` their namespaces.

    `apart`: no machine reaches another. `settings` are more of each one's environment, by its number.
    """

    def __init__(self, count: int, *, apart: bool = False, settings: Mapping[int, str] | None = None) -> None:
        self.isolation = Isolation()
        copy_script(self.isolation)
        self._segments: list[Segment] = []
        self.servers: list[Server] = []
        self.names: list[str] = []
        try:
            for number in range(count):
                if apart or not self._segments:
                    self._segments.append(Segment())
                self._add(self._segments[-1], (settings or {}).get(number, ""))
            self._write_client()
        except BaseException:
            self.close()
            raise

    @property
    def machines(self) -> list[str]:
        return [server.address for server in self.servers]

    def run(self, *arguments: str) -> Command:
        """Start `choline ARGUMENTS` in the project's folder."""
        return Command(list(arguments), self.isolation)

    def lose(self, number: int) -> None:
        """A machine loses its power."""
        self._segments[-1].kill(self.names[number])

    def list_kept(self) -> list[str]:
        """The checkpoints that are at home and whole, by the names of their directories."""
        notes = sorted(self.isolation.folder.glob("checkpoints/*/*.json"))
        return [note.stem.partition("-")[2] for note in notes]

    def list_leftovers(self) -> list[str]:
        """What of the script still runs anywhere."""
        return list_leftovers(self.isolation)

    def close(self) -> None:
        for segment in self._segments:
            segment.close()
        for server in self.servers:
            shutil.rmtree(server.folder, ignore_errors=True)
        self.isolation.close()

    def _add(self, segment: Segment, more: str) -> None:
        name = segment.add()
        mark = f"{MARK}={self.isolation.environment[MARK]}"
        settings = f"PATH={Path(sys.executable).parent}:/usr/bin:/bin OMP_NUM_THREADS=1 {mark} {more}"
        before = os.environ.get(MARK)
        os.environ[MARK] = self.isolation.environment[MARK]  # an sshd's sessions inherit its environment
        try:
            address, project = segment.find_address(name), self.isolation.folder
            self.servers.append(Server(settings, address, name, project))
        finally:
            os.environ.pop(MARK)
            os.environ.update({MARK: before} if before else {})
        self.names.append(name)

    def _write_client(self) -> None:
        """An `ssh` that has the machines' keys and knows them."""
        folder = self.isolation.folder.parent / "bin"
        folder.mkdir()
        known = folder / "known_hosts"
        lines = [
            f"[{server.name}]:{server.port} {' '.join((server.folder / 'host_key.pub').read_text().split()[:2])}\n"
            for server in self.servers
        ]
        known.write_text("".join(lines))
        identities = " ".join(f"-o IdentityFile={server.folder}/id" for server in self.servers)
        (folder / "ssh").write_text(
            f"#!/bin/sh\nexec {shutil.which('ssh')} -F none {identities} -o IdentitiesOnly=yes"
            f' -o UserKnownHostsFile={known} -o GlobalKnownHostsFile=/dev/null "$@"\n'
        )
        (folder / "ssh").chmod(0o755)
        self.isolation.environment["PATH"] = f"{folder}:{self.isolation.environment['PATH']}"
