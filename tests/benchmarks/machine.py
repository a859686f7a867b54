"""The machine a benchmark ran on, in words that name no host and no folder."""

from __future__ import annotations

import datetime as dt
import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("ipykernel", "jupyter_client", "pyzmq", "ipython", "tornado", "ipyparallel", "torch")


def describe_machine() -> list[str]:
    """Lines: the hardware, the software, the day."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"{os.cpu_count()} x {_find_processor()}, {memory:.0f} GiB, {platform.system()} {platform.release().partition('-')[0]}",
        f"Python {platform.python_version()}, {packages}",
        find_day(),
    ]


def find_day() -> str:
    """Today, as it stands in the table."""
    return dt.datetime.now(dt.timezone.utc).date().isoformat()


def describe_load() -> str:
    """The load average of the last one, five and fifteen minutes."""
    return " / ".join(f"{load:.1f}" for load in os.getloadavg())


def _find_processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
