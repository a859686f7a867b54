"""What a checkpoint was made with: Python, its packages and the GPU; it goes into the checkpoint's record.

Used by `training.checkpoints` in its thread, so that the look at the packages costs the training nothing.
"""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import sys
from typing import Any

from choline_jupyter.training.snapshot import uses_gpu


def describe_environment() -> dict[str, Any]:
    """`packages` as `name==version`, sorted; `gpu` is empty where this process has not used one."""
    return {"gpu": _find_gpu(), "python": platform.python_version(), "packages": _list_packages()}


@functools.lru_cache(maxsize=1)
def _list_packages() -> list[str]:
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(name.lower().replace("_", "-"), distribution.version)
    return ["%s==%s" % item for item in sorted(found.items())]


def _find_gpu() -> str:
    return str(sys.modules["torch"].cuda.get_device_name()) if uses_gpu() else ""
