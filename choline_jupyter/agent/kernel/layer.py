"""The session's own packages in its kernel: on `sys.path` before those that sessions share, for subprocesses too.

Called by `application`, in the kernel's main thread. The kernel was forked from a process that knows nothing of the layer.
"""

from __future__ import annotations

import importlib
import os
import site
import sys
from pathlib import Path

_SHARED = ("site-packages", "dist-packages")


def activate_layer(folder: str) -> None:
    """Be the layer's interpreter, as far as anything asks: `%pip`, `!python` and workers are the layer's own."""
    sys.prefix = sys.exec_prefix = folder
    sys.executable = os.path.join(folder, "bin", "python")
    os.environ["VIRTUAL_ENV"] = folder
    os.environ["PATH"] = os.pathsep.join((os.path.join(folder, "bin"), os.environ.get("PATH", os.defpath)))
    for path in sorted(Path(folder).glob("lib/python*/site-packages")):
        take_site(str(path))


def take_site(folder: str) -> list[str]:
    """Find what is in a layer's folder of packages from now on, also what has just come into it.

    Gives the modules of it that this process has loaded already, from elsewhere.
    """
    if folder not in sys.path:
        shared = (number for number, entry in enumerate(sys.path) if entry.rpartition("/")[2] in _SHARED)
        sys.path.insert(next(shared, len(sys.path)), folder)
    for file in sorted(Path(folder).glob("*.pth")):
        if not file.name.startswith("_choline_"):
            site.addpackage(folder, file.name, set(sys.path))
    if sys.prefix != str(Path(folder).parents[2]):  # the interpreter of the user's own: its children are told
        others = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry not in ("", folder)]
        os.environ["PYTHONPATH"] = os.pathsep.join((folder, *others))
    importlib.invalidate_caches()
    return [name for name in sorted({path.stem for path in Path(folder).iterdir()}) if _is_stale(name, folder)]


def _is_stale(name: str, folder: str) -> bool:
    place = getattr(sys.modules.get(name), "__file__", None)
    return bool(place) and not str(place).startswith(folder + os.sep)
