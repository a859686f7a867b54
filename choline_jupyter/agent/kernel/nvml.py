"""NVIDIA's management library (libnvidia-ml, which comes with the driver), as far as telemetry reads it.

Used by `telemetry`, through ctypes: the session's environment needs no package for it. What the library refuses (utilisation
of a MIG slice, power of some cards) is None.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Any, Optional

_LIBRARY = "libnvidia-ml.so.1"

Handle = ctypes.c_void_p


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


def load_nvml() -> Optional[Nvml]:
    """The library, not initialised; None on a machine without NVIDIA's driver."""
    try:
        return Nvml(ctypes.CDLL(_LIBRARY))
    except OSError:
        return None


class Nvml:
    """`start` comes first, in the process that asks."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def start(self) -> bool:
        """Initialise it; False where the driver does not answer."""
        return self._call("nvmlInit_v2")

    def count(self) -> int:
        """How many GPUs there are."""
        number = ctypes.c_uint()
        return number.value if self._call("nvmlDeviceGetCount_v2", ctypes.byref(number)) else 0

    def find(self, index: int) -> Optional[Handle]:
        """A GPU by its number."""
        handle = Handle()
        found = self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
        return handle if found else None

    def find_named(self, name: str) -> Optional[Handle]:
        """A GPU by its UUID (GPU-...)."""
        handle = Handle()
        return handle if self._call("nvmlDeviceGetHandleByUUID", name.encode(), ctypes.byref(handle)) else None

    def read_index(self, handle: Handle) -> Optional[int]:
        """Its number on this machine."""
        number = ctypes.c_uint()
        return number.value if self._call("nvmlDeviceGetIndex", handle, ctypes.byref(number)) else None

    def read_memory(self, handle: Handle) -> Optional[tuple[int, int]]:
        """Bytes in use, by whomever, and in all."""
        memory = _Memory()
        if not self._call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory)):
            return None
        return int(memory.used), int(memory.total)

    def read_busy(self, handle: Handle) -> Optional[float]:
        """In which share of the last moment any kernel ran."""
        found = _Utilization()
        if not self._call("nvmlDeviceGetUtilizationRates", handle, ctypes.byref(found)):
            return None
        return float(found.gpu) / 100

    def read_power(self, handle: Handle) -> Optional[float]:
        """In watts."""
        found = ctypes.c_uint()
        return found.value / 1000 if self._call("nvmlDeviceGetPowerUsage", handle, ctypes.byref(found)) else None

    def _call(self, name: str, *arguments: Any) -> bool:
        """Whether a function is there and succeeds; an old driver lacks some."""
        with suppress(AttributeError):
            return bool(getattr(self._library, name)(*arguments) == 0)
        return False
