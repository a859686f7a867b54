"""The first words on another machine, spoken by a real /bin/sh in a home that has never seen choline."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from choline_jupyter.transport.bootstrap import Bootstrap, make_bootstrap
from choline_jupyter.transport.channel import TransportError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Process = asyncio.subprocess.Process

# The connector that follows finds no agent and says so at once: nothing is left running.
OPTIONS = ("--no-start",)
TOOLS = ("sh", "cat", "env")


class Host:
    """Another machine: a home and a PATH with nothing but what it is given."""

    def __init__(self, folder: Path) -> None:
        self.home, self.programs = folder / "home", folder / "bin"
        self.home.mkdir()
        self.programs.mkdir()
        for tool in TOOLS:
            self.add_program(tool, shutil.which(tool) or tool)
        self.environment = {"HOME": str(self.home), "PATH": str(self.programs)}
        self.prologue = ""

    @property
    def agents(self) -> Path:
        return self.home / ".cache/choline/agent"

    def add_program(self, name: str, target: str) -> None:
        (self.programs / name).symlink_to(target)

    def add_script(self, name: str, text: str) -> None:
        (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.programs / name).chmod(0o755)

    @asynccontextmanager
    async def run(self, bootstrap: Bootstrap) -> AsyncIterator[Process]:
        """What sshd does with a command; the login shell's start-up files may print before it."""
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", f"{self.prologue}\n{bootstrap.command}", env=self.environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None and process.stdin:
                process.stdin.close()
            await process.communicate()

    def meet(self) -> bytes:
        """Shake hands; returns the connector's last words."""

        async def talk() -> bytes:
            bootstrap = make_bootstrap((*OPTIONS, "--home", str(self.home / "agent's home")))
            async with self.run(bootstrap) as process:
                assert process.stdin
                assert process.stdout
                assert process.stderr
                await bootstrap.shake_hands(process.stdout, process.stdin)
                return await process.stderr.read()

        return asyncio.run(talk())


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.home.chmod(0o700)


@pytest.fixture
def ready_host(host: Host) -> Host:
    host.add_program("python3", sys.executable)
    return host


def test_the_first_contact_brings_the_agent_and_the_second_does_not(ready_host: Host) -> None:
    assert b"none runs" in ready_host.meet()
    [agent] = ready_host.agents.iterdir()
    assert agent.name == make_bootstrap().archive.digest
    kept = agent.stat()
    (agent / "mark").write_text("")
    assert b"none runs" in ready_host.meet()
    assert [path.name for path in ready_host.agents.iterdir()] == [agent.name]
    assert (agent / "mark").exists()
    assert agent.stat().st_ino == kept.st_ino


def test_the_python_that_was_found_is_remembered(host: Host) -> None:
    """Only the first shell had it on its PATH, as after `conda activate`."""
    environment = host.home / "conda"
    environment.mkdir()
    (environment / "python3").symlink_to(sys.executable)
    host.environment["PATH"] = f"{host.programs}:{environment}"
    host.meet()
    host.environment["PATH"] = str(host.programs)
    assert b"none runs" in host.meet()


def test_a_remembered_python_that_is_gone_is_looked_for_anew(ready_host: Host) -> None:
    ready_host.meet()
    [agent] = ready_host.agents.iterdir()
    (agent / "python").write_text("/nowhere/python3")
    assert b"none runs" in ready_host.meet()


def test_the_cache_may_be_elsewhere(ready_host: Host) -> None:
    ready_host.environment["XDG_CACHE_HOME"] = str(ready_host.home / "with space")
    ready_host.meet()
    assert list((ready_host.home / "with space/choline/agent").iterdir())
    assert not ready_host.agents.exists()


@pytest.mark.parametrize(
    "prologue",
    ["echo Welcome to the machine", "printf 'no newline at the end'", "printf '\\377\\000\\nCHOLINE-0 ready\\n'"],
)
def test_what_the_login_shell_prints_is_skipped(ready_host: Host, prologue: str) -> None:
    ready_host.prologue = prologue
    assert b"none runs" in ready_host.meet()


def test_a_login_shell_without_end_is_given_up(ready_host: Host) -> None:
    ready_host.prologue = "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"

    async def listen() -> None:
        bootstrap = make_bootstrap(OPTIONS)
        async with ready_host.run(bootstrap) as process:
            assert process.stdin
            assert process.stdout
            try:
                await bootstrap.shake_hands(process.stdout, process.stdin)
            finally:
                process.kill()

    with pytest.raises(TransportError, match="prints without end"):
        asyncio.run(listen())


def test_an_older_python_is_passed_over(host: Host) -> None:
    host.add_script("python3", "echo 3.6; exit 1")
    host.add_program("python3.11", sys.executable)
    assert b"none runs" in host.meet()


def test_without_python_it_says_so(host: Host) -> None:
    with pytest.raises(TransportError, match=r"no Python; choline needs 3\.9") as caught:
        host.meet()
    assert "Install one" in caught.value.hint


def test_with_only_old_ones_it_names_them(host: Host) -> None:
    host.add_script("python3", "echo 3.6; exit 1")
    host.add_script("python3.8", "echo 3.8; exit 1")
    host.add_script("python", "echo 2.7; exit 1")
    with pytest.raises(TransportError, match=r"only Python 3\.6, 2\.7"):
        host.meet()


def test_a_cache_that_cannot_be_written_is_told(ready_host: Host) -> None:
    (ready_host.home / ".cache").write_text("a file")
    with pytest.raises(TransportError, match=r"cannot keep choline's agent in .*/\.cache/choline/agent/") as caught:
        ready_host.meet()
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_two_first_contacts_at_once_leave_one_agent(ready_host: Host) -> None:
    async def talk(bootstrap: Bootstrap, process: Process) -> None:
        assert process.stdin
        assert process.stdout
        await bootstrap.shake_hands(process.stdout, process.stdin)

    async def both() -> None:
        first, second = make_bootstrap(OPTIONS), make_bootstrap(OPTIONS)
        async with ready_host.run(first) as one, ready_host.run(second) as other:
            await asyncio.gather(talk(first, one), talk(second, other))

    asyncio.run(both())
    assert len(list(ready_host.agents.iterdir())) == 1


def test_a_connection_that_ends_in_mid_push_leaves_nothing(ready_host: Host) -> None:
    async def cut() -> None:
        bootstrap = make_bootstrap(OPTIONS)
        async with ready_host.run(bootstrap) as process:
            assert process.stdin
            assert process.stdout
            while b"need" not in await process.stdout.readline():
                pass
            process.stdin.write(bootstrap.archive.data[:1000])
            process.stdin.close()
            await process.wait()

    asyncio.run(cut())
    assert not ready_host.agents.exists() or not list(ready_host.agents.iterdir())
    assert b"none runs" in ready_host.meet()
