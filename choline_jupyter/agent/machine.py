"""What this machine has: processors, memory, disk, GPUs, and what an environment can be made with.

Called by the supervisor when a client asks. Facts only; what they mean for a user is the client's to say. A tool that
hangs or prints nonsense costs some seconds and its facts, nothing else.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import shutil
import sys
import time
from typing import Any, Optional

from choline_jupyter.agent.environment import find_active
from choline_jupyter.agent.tool import find_uv

_PATIENCE = 10.0
_FIELDS = ("name", "memory.total", "memory.used", "utilization.gpu", "driver_version")
_VERSION = "import importlib.metadata as m; print(m.version('ipykernel'))"


async def describe_machine() -> dict[str, Any]:
    """The facts, as JSON has them; sizes in bytes, `time` in seconds since the epoch."""
    gpus, ipykernel = await asyncio.gather(find_gpus(), _find_ipykernel())
    return {
        "system": "%s %s" % (platform.system(), platform.release()),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "home": os.path.expanduser("~"),
        "disk": _find_room(os.path.expanduser("~")),
        "python": {"version": platform.python_version(), "path": sys.executable},
        "ipykernel": ipykernel,
        "uv": find_uv(),
        "venv": importlib.util.find_spec("venv") is not None,
        "ensurepip": importlib.util.find_spec("ensurepip") is not None,
        "gpus": gpus,
        "time": time.time(),
    }


async def find_gpus() -> list[dict[str, Any]]:
    """What nvidia-smi lists; nothing where there is none, or it does not answer.

    Source: `nvidia-smi --help-query-gpu`; memory is given in MiB, a field that a GPU lacks as `[N/A]`.
    """
    program = shutil.which("nvidia-smi")
    said = await _ask(program, "--query-gpu=" + ",".join(_FIELDS), "--format=csv,noheader,nounits") if program else ""
    gpus = [_read_gpu(line.split(", ")) for line in said.splitlines()]
    return [gpu for gpu in gpus if gpu]


def _read_gpu(values: list[str]) -> dict[str, Any]:
    """One line's facts; empty for a line that is no GPU."""
    if len(values) != len(_FIELDS):
        return {}
    name, total, used, load, driver = (value.strip() for value in values)
    mib = 1 << 20
    return {
        "name": name,
        "memory": _read_number(total) * mib,
        "used": _read_number(used) * mib,
        "load": _read_number(load),
        "driver": driver,
    }


def _read_number(text: str) -> int:
    return int(text) if text.isdigit() else 0


async def _find_ipykernel() -> str:
    """Its version in the user's own `python3`, empty where it has none."""
    python = find_active()
    return (await _ask(python, "-c", _VERSION)).strip() if python else ""


def _find_room(folder: str) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


async def _ask(*command: Optional[str]) -> str:
    """What a program prints; empty when it fails or takes too long."""
    null, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *map(str, command), stdin=null, stdout=pipe, stderr=null, cwd="/"
        )
    except OSError:
        return ""
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return said.decode(errors="replace") if process.returncode == 0 else ""
