"""What a script takes of its machine: processor and memory as the system counts them, and of each GPU what nvidia-smi says.

Made by `agent.script`, which has no loop to look in: nvidia-smi, where the driver brought it, writes a line for each GPU every
few seconds into a file of the session's folder while the script runs. Promise: nothing here fails or delays the script.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

_QUERY = "--query-gpu=index,memory.used,memory.total,utilization.gpu,power.draw"
_EVERY = 5  # seconds
_MIB = 1 << 20


class ScriptUsage:
    """Owns one nvidia-smi from `begin` to `end`; of a script that runs again both are called again."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "gpus.csv"
        self._begun = 0.0
        self._looker: Optional[subprocess.Popen[bytes]] = None

    def begin(self, environment: dict[str, str]) -> None:
        """The script starts now; `environment` is its own, which marks what is started here as the session's."""
        self._begun = time.monotonic()
        program = shutil.which("nvidia-smi")
        if program is None:
            return
        command = [program, _QUERY, "--format=csv,noheader,nounits", "-l", str(_EVERY)]
        with suppress(OSError), open(self._log, "wb") as log:
            self._looker = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.DEVNULL, env=environment
            )

    def end(self) -> dict[str, Any]:
        """What it took, when it has been waited for."""
        seconds = max(time.monotonic() - self._begun, 1e-3)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)  # before nvidia-smi is one of them
        cpu = (used.ru_utime + used.ru_stime) / seconds
        fact: dict[str, Any] = {"seconds": round(seconds, 2), "memory": used.ru_maxrss << 10, "cpu": round(cpu, 3)}
        if self._looker:
            self._looker.kill()
            self._looker.wait()
            with suppress(OSError):
                fact["gpus"] = read_gpus(self._log.read_text(errors="replace"))
                os.unlink(self._log)
        return fact


def read_gpus(text: str) -> list[dict[str, Any]]:
    """Each GPU's memory at its peak in bytes, the rest on average; what is not told (`[N/A]`) is left out."""
    seen: dict[int, list[list[Optional[float]]]] = {}
    for line in text.splitlines():
        index, *values = [_read(word) for word in line.split(",")]
        if index is not None and len(values) == 4:
            seen.setdefault(int(index), []).append(values)
    return [_summarize(index, rows) for index, rows in sorted(seen.items())]


def _summarize(index: int, rows: list[list[Optional[float]]]) -> dict[str, Any]:
    memory, total, busy, power = ([row[column] for row in rows if row[column] is not None] for column in range(4))
    fact: dict[str, Any] = {"index": index}
    for name, values in (("memory", memory), ("total", total)):
        fact.update({name: int(max(value or 0 for value in values) * _MIB)} if values else {})
    for name, values, unit in (("busy", busy, 100), ("power", power, 1)):
        fact.update({name: round(sum(value or 0 for value in values) / len(values) / unit, 3)} if values else {})
    return fact


def _read(word: str) -> Optional[float]:
    try:
        return float(word)
    except ValueError:
        return None
