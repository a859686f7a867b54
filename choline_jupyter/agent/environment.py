"""Environments: the Python that a session's kernels run in, found or made, then kept for the next session.

Called by the supervisor when a session names no interpreter of its own. An interpreter on this machine that has ipykernel
is used as it is; else an environment is made under the cache by the digest of what it holds, with uv if there is one,
else with venv. Promise: one is either whole (it has its `ready` file) or not there.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Callable

REQUIREMENTS = ("ipykernel>=6.29,<8",)
_CHECK = "import ipykernel, sys; sys.exit(ipykernel.version_info < (6, 29))"
_TELLING = ("Could not find a version", "No matching distribution", "Failed to fetch", "Temporary failure", "ensurepip")

Tell = Callable[[str], None]


class EnvironmentFault(Exception):
    """No usable environment could be found or made; the message is one sentence."""


class Environments:
    """The environments of this user on this machine. A `tell` is called with each stage's name."""

    def __init__(self) -> None:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self._folder = Path(cache) / "choline" / "environments"
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(self, tell: Tell) -> str:
        """An interpreter with ipykernel: one that is here, else a made one. Raises EnvironmentFault."""
        for candidate in filter(None, (_find_active(), sys.executable)):
            if await _succeeds(candidate, "-c", _CHECK):
                return candidate
        target = self._folder / _digest(REQUIREMENTS)
        async with self._locks.setdefault(str(target), asyncio.Lock()):
            if not (target / "ready").exists():
                await self._make(target, tell)
        return str(target / "bin" / "python")

    async def _make(self, target: Path, tell: Tell) -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        uv = _find_uv()
        tell("making an environment with %s" % ("uv" if uv else "venv"))
        if uv:
            await _run(uv, "venv", "--quiet", "--python", sys.executable, str(target))
            tell("installing ipykernel")
            await _run(uv, "pip", "install", "--quiet", "--python", str(target / "bin" / "python"), *REQUIREMENTS)
        else:
            await _run(sys.executable, "-m", "venv", str(target))
            tell("installing ipykernel")
            await _run(str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", *REQUIREMENTS)
        (target / "ready").touch()


def _digest(requirements: tuple[str, ...]) -> str:
    text = "\n".join((platform.python_version(), *sorted(requirements)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _find_active() -> str:
    """The `python3` of the user's PATH, which need not be the interpreter that runs the agent."""
    return shutil.which("python3") or ""


def _find_uv() -> str:
    home = os.path.expanduser("~")
    path = os.pathsep.join((os.environ.get("PATH", ""), home + "/.local/bin", home + "/.cargo/bin"))
    return shutil.which("uv", path=path) or ""


async def _succeeds(*command: str) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd="/"
        )
    except OSError:
        return False
    return await process.wait() == 0


async def _run(*command: str) -> None:
    """Run a tool; raises EnvironmentFault with what it said last."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd="/",
    )
    said, _ = await process.communicate()
    if process.returncode != 0:
        lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
        raise EnvironmentFault("%s said: %s" % (Path(command[0]).name, _pick(lines)))


def _pick(lines: list[str]) -> str:
    """The line that tells most: one about the network or the missing part, else the last."""
    told = [line for line in lines if any(phrase in line for phrase in _TELLING)]
    return ((told or lines or ["nothing"])[-1]).strip()[:300]
