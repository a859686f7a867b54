"""The programs that make environments (uv, venv, pip): run to their end, what they say in short.

Called by `agent.environment` and its siblings. Promise: a program that nobody waits for any more is killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

# Without a network there is another way, through the client: what these wait for comes soon or not at all.
_IMPATIENT = {"PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "15", "UV_HTTP_TIMEOUT": "15", "UV_HTTP_RETRIES": "1"}
_UNREACHED = (
    "Failed to fetch", "Temporary failure", "Request failed", "Connection refused", "timed out", "(from versions: none)",
    "ensurepip", "No module named pip",
)  # fmt: skip
_TELLING = (*_UNREACHED, "Could not find a version", "No matching distribution", "Because ", "conflict")
_LONGEST = 300
_PARENT_DEATH = 1  # prctl(2)
_LIBC = ctypes.CDLL(None)


class EnvironmentFault(Exception):
    """No usable environment could be found or made; the message is one sentence.

    `is_reach` tells that the packages could not be looked for, from that they do not fit.
    """

    def __init__(self, text: str, is_reach: bool = False) -> None:
        super().__init__(text)
        self.is_reach = is_reach


def find_uv() -> str:
    """Where uv is; empty where it is not."""
    home = os.path.expanduser("~")
    path = os.pathsep.join((os.environ.get("PATH", ""), home + "/.local/bin", home + "/.cargo/bin"))
    return shutil.which("uv", path=path) or ""


async def run_tool(*command: str, text: str = "", settings: Optional[Mapping[str, str]] = None) -> str:
    """Run a program with `text` as its input; gives what it prints. Raises EnvironmentFault with what it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        env={**os.environ, **(settings or {}), **_IMPATIENT},
        preexec_fn=end_with_parent,
    )
    try:
        said, complaint = await process.communicate(text.encode())
    finally:
        if process.returncode is None:  # nobody wants it any more
            process.kill()
    if process.returncode != 0:
        lines = [line for line in (complaint or said).decode(errors="replace").splitlines() if line.strip()]
        is_reach = any(phrase in line for line in lines for phrase in _UNREACHED)
        raise EnvironmentFault("%s said: %s" % (Path(command[0]).name, pick_line(lines)), is_reach)
    return said.decode(errors="replace")


def end_with_parent() -> None:
    """In the child: nobody would hear of what it does behind the death of the agent, and the next one starts it anew."""
    _LIBC.prctl(_PARENT_DEATH, signal.SIGKILL, 0, 0, 0)


def pick_line(lines: list[str]) -> str:
    """The line that tells most: the cause, one about the network or the missing part, else the last."""
    told = [line for line in lines if any(phrase in line for phrase in _TELLING)]
    line = " ".join((told or lines or ["nothing"])[-1].split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
