"""Environments: the Python that a session's kernels run in, found or made, then kept for the next session.

Called by the supervisor when a session names no interpreter of its own. An interpreter on this machine that has what is
wanted is used as it is; else an environment is made under the cache by the digest of what it holds: with uv if there is
one, else with venv and pip, and where neither can fetch packages, from wheels that the client brings. Promise: one is
either whole (it has its `ready` file) or not there.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Callable

from choline_jupyter.agent.place import find_cache
from choline_jupyter.model.environment import BASE, Target

# Exits with 0 if this interpreter has the kernel and each `name` or `name==version` of the arguments.
_CHECK = """
import importlib.metadata, ipykernel, sys
def has(wish):
    name, _, version = wish.partition("==")
    found = importlib.metadata.version(name.strip())
    return version.strip() in ("", found, found.partition("+")[0])
sys.exit(ipykernel.version_info < (6, 29) or not all(map(has, sys.argv[1:])))
"""
_TELLING = ("Could not find a version", "No matching distribution", "Failed to fetch", "Temporary failure", "ensurepip")
_INSTALL = Path(__file__).with_name("wheel_install.py")
_IMPATIENT = {
    "PIP_RETRIES": "1",
    "PIP_DEFAULT_TIMEOUT": "15",
    "UV_HTTP_TIMEOUT": "15",
}  # without a network: to the client

Tell = Callable[[str], None]
Bring = Callable[[Target], Awaitable[Sequence[Path]]]


class EnvironmentFault(Exception):
    """No usable environment could be found or made; the message is one sentence."""


class Environments:
    """The environments of this user on this machine.

    `tell` is called with each stage's name; `bring` has the client fetch the wheels of what an environment holds, into
    folders that are this one's to remove.
    """

    def __init__(self) -> None:
        self._folder = find_cache() / "environments"
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(self, wishes: Sequence[str], tell: Tell, bring: Bring) -> str:
        """An interpreter with ipykernel and `wishes` (PEP 508): one that is here, else a made one. Raises EnvironmentFault."""
        for candidate in filter(None, (find_active(), sys.executable)):
            if await _succeeds(candidate, "-c", _CHECK, *wishes):
                return candidate
        target = self._folder / _digest(wishes)
        async with self._locks.setdefault(str(target), asyncio.Lock()):
            if not (target / "ready").exists():
                await self._make(target, wishes, tell, bring)
        return str(target / "bin" / "python")

    async def _make(self, target: Path, wishes: Sequence[str], tell: Tell, bring: Bring) -> None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            await _fetch(target, wishes, tell)
        except EnvironmentFault as fault:
            tell("the packages come through your machine, because here %s" % fault)
            wheels = await bring(find_target())
            tell("installing %d packages" % len(wheels))
            await _unpack(target, wheels)
            for folder in {wheel.parent for wheel in wheels}:
                shutil.rmtree(folder, ignore_errors=True)
        (target / "ready").touch()


def find_target() -> Target:
    """What wheels for this interpreter must fit."""
    name, version = platform.libc_ver(sys.executable)
    return Target("%d.%d" % sys.version_info[:2], platform.machine(), (name or "musl", version or "1.2"))


def find_active() -> str:
    """The `python3` of the user's PATH, which need not be the interpreter that runs the agent."""
    return shutil.which("python3") or ""


def find_uv() -> str:
    """Where uv is; empty where it is not."""
    home = os.path.expanduser("~")
    path = os.pathsep.join((os.environ.get("PATH", ""), home + "/.local/bin", home + "/.cargo/bin"))
    return shutil.which("uv", path=path) or ""


async def _fetch(target: Path, wishes: Sequence[str], tell: Tell) -> None:
    """Make an environment with packages from this machine's index."""
    shutil.rmtree(target, ignore_errors=True)
    uv, python = find_uv(), str(target / "bin" / "python")
    tell("making an environment with %s" % ("uv" if uv else "venv"))
    if uv:
        await _run(uv, "venv", "--quiet", "--python", sys.executable, str(target))
    else:
        await _run(sys.executable, "-m", "venv", str(target))
    tell("installing %s" % ", ".join(("ipykernel", *wishes)))
    if uv:
        await _run(uv, "pip", "install", "--quiet", "--python", python, *BASE, *wishes)
    else:
        await _run(python, "-m", "pip", "install", "--quiet", *BASE, *wishes)


async def _unpack(target: Path, wheels: Sequence[Path]) -> None:
    """Make an environment from wheels alone."""
    shutil.rmtree(target, ignore_errors=True)
    await _run(sys.executable, "-m", "venv", "--without-pip", str(target))
    await _run(str(target / "bin" / "python"), str(_INSTALL), *map(str, wheels))


def _digest(wishes: Sequence[str]) -> str:
    text = "\n".join((platform.python_version(), *BASE, *sorted(wishes)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def _succeeds(*command: str) -> bool:
    null = asyncio.subprocess.DEVNULL
    with suppress(OSError):
        process = await asyncio.create_subprocess_exec(*command, stdin=null, stdout=null, stderr=null, cwd="/")
        return await process.wait() == 0
    return False


async def _run(*command: str) -> None:
    """Run a tool; raises EnvironmentFault with what it said last."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd="/",
        env={**os.environ, **_IMPATIENT},
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:  # nobody wants it any more
            process.kill()
    if process.returncode != 0:
        lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
        raise EnvironmentFault("%s said: %s" % (Path(command[0]).name, _pick(lines)))


def _pick(lines: list[str]) -> str:
    """The line that tells most: one about the network or the missing part, else the last."""
    told = [line for line in lines if any(phrase in line for phrase in _TELLING)]
    return ((told or lines or ["nothing"])[-1]).strip()[:300]
