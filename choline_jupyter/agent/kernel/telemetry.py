"""What a cell takes of its machine, rank by rank: memory and time of the process, and of its GPU what NVML says.

Made by `application`. Owns the thread `choline-telemetry`, which looks once a second while a cell runs and sleeps else. A
cell of more than a second leaves one METRIC event behind, a long one one every two seconds at first and every ten later;
each has the whole of the cell so far, and under `now` what has been since the event before. Without NVIDIA's driver the rest
is told.
"""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, Optional

from choline_jupyter.agent.journal import JournalWriter
from choline_jupyter.agent.kernel.nvml import Handle, Nvml, load_nvml
from choline_jupyter.model.event import Kind

# What its events are called: those of several ranks or a GPU are also summed up below their cell, `load` is drawn only.
TELEMETRY, LOAD = "telemetry", "load"
_PERIOD = 1.0
_OFTEN, _REPORT = 2, 10  # samples between two reports: of the first twenty, of all others
_BEGINNING = 20


def has_gpu() -> bool:
    """Whether NVIDIA's driver is here."""
    return load_nvml() is not None


class Telemetry:
    """`begin` and `end` are called by the kernel's main thread around each cell."""

    def __init__(self, journal: JournalWriter, rank: int, name: str = TELEMETRY) -> None:
        self._journal, self._rank, self._name = journal, rank, name
        self._work = threading.Event()
        self._lock = threading.Lock()
        self._samples = _Samples(None)
        self._job, self._attempt = "", 0
        self._gpu: Optional[Gpu] = None
        self._is_started = False

    def begin(self, job: str, attempt: int) -> None:
        """A cell is about to run."""
        with self._lock:
            self._job, self._attempt, self._samples = job, attempt, _Samples(self._gpu)
        if not self._is_started:
            self._is_started = True
            threading.Thread(target=self._run, name="choline-telemetry", daemon=True).start()
        self._work.set()

    def end(self) -> None:
        """It has ended: tell what it took, if it took long enough to be seen."""
        self._work.clear()
        with self._lock:
            if self._samples.count:
                self._samples.take()
                self._tell(is_end=True)
            self._job = ""

    def _run(self) -> None:
        self._gpu = find_gpu(self._rank)
        while True:
            self._work.wait()
            time.sleep(_PERIOD)
            with self._lock:
                if self._job and self._samples.is_due():
                    self._samples.gpu = self._gpu
                    self._samples.take()
                    if _is_told(self._samples.count):
                        self._tell(is_end=False)

    def _tell(self, is_end: bool) -> None:
        fact = {self._name: {"rank": self._rank, "is_end": is_end, **self._samples.describe()}}
        self._journal.append(Kind.METRIC, [b"{}", b"{}", b"{}", json.dumps(fact).encode()], self._job, self._attempt)


class _Samples:
    """What was seen of one cell."""

    def __init__(self, gpu: Optional[Gpu]) -> None:
        self.gpu = gpu
        self.count = 0
        self._began, self._cpu = time.monotonic(), _read_cpu()
        self._memory = 0
        self._seen: list[dict[str, Any]] = []
        self._told, self._told_cpu, self._told_seen = self._began, self._cpu, 0

    def is_due(self) -> bool:
        """Whether the cell is old enough to be looked at: a wait may have begun in the one before."""
        return time.monotonic() - self._began >= _PERIOD * 0.9

    def take(self) -> None:
        self.count += 1
        self._memory = max(self._memory, _read_memory())
        if self.gpu:
            self._seen.append(self.gpu.read())

    def describe(self) -> dict[str, Any]:
        """Peak memory in bytes, and the share of one processor that was busy (above 1: several threads)."""
        seconds = max(time.monotonic() - self._began, 1e-3)
        fact: dict[str, Any] = {"seconds": round(seconds, 2), "memory": self._memory}
        fact["cpu"] = round((_read_cpu() - self._cpu) / seconds, 3)
        if self.gpu and self._seen:
            fact["gpu"] = self.gpu.summarize(self._seen)
        return {**fact, "now": self._describe_now()}

    def _describe_now(self) -> dict[str, Any]:
        """The same since it was told last; memory as it is now."""
        at, cpu = time.monotonic(), _read_cpu()
        fact: dict[str, Any] = {"memory": _read_memory()}
        fact["cpu"] = round((cpu - self._told_cpu) / max(at - self._told, 1e-3), 3)
        if self.gpu and self._seen:
            fact["gpu"] = self.gpu.summarize(self._seen[self._told_seen :] or self._seen[-1:])
        self._told, self._told_cpu, self._told_seen = at, cpu, len(self._seen)
        return fact


class Gpu:
    """One GPU through NVML; what it does not tell is left out."""

    def __init__(self, nvml: Nvml, handle: Handle, index: int) -> None:
        self._nvml, self._handle, self._index = nvml, handle, index

    def read(self) -> dict[str, Any]:
        memory = self._nvml.read_memory(self._handle) or (None, None)
        busy, power = self._nvml.read_busy(self._handle), self._nvml.read_power(self._handle)
        fact = {"memory": memory[0], "total": memory[1], "busy": busy, "power": power}
        return {key: value for key, value in fact.items() if value is not None}

    def summarize(self, seen: list[dict[str, Any]]) -> dict[str, Any]:
        """Memory at its peak, the rest on average."""
        told = {key: [one[key] for one in seen if key in one] for key in ("memory", "total", "busy", "power")}
        peaks = {key: max(told[key]) for key in ("memory", "total") if told[key]}
        means = {key: round(sum(told[key]) / len(told[key]), 3) for key in ("busy", "power") if told[key]}
        return {"index": self._index, **peaks, **means}


def _is_told(count: int) -> bool:
    return count % (_OFTEN if count <= _BEGINNING else _REPORT) == 0


def find_gpu(rank: int) -> Optional[Gpu]:
    """The GPU that `LOCAL_RANK` means among the visible ones; None where NVML does not tell."""
    nvml = load_nvml()
    if nvml is None or not nvml.start():
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [name.strip() for name in visible.split(",")] if visible is not None else []
    if visible is not None and rank >= len(names):
        return None
    name = names[rank] if names else str(rank)
    handle = nvml.find(int(name)) if name.isdigit() else nvml.find_named(name)
    if handle is None:
        return None
    index = nvml.read_index(handle)
    return Gpu(nvml, handle, rank if index is None else index)


def _read_memory() -> int:
    """The process's resident memory in bytes (proc(5): statm)."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _read_cpu() -> float:
    times = os.times()
    return times.user + times.system
