"""A layer: a virtual environment of its own on top of another interpreter's packages, made by hand in a moment.

Made by `agent.environment` for what an image's torch is to be kept under, and for what a session adds to its environment.
A venv's own `--system-site-packages` looks past an interpreter that is itself in a venv; here its folders stand in a
`.pth` file. Promise: pip and uv in a layer change the layer and nothing below it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from choline_jupyter.agent.interpreter import Interpreter

_BELOW = "_choline_below.pth"  # sorts before most: what is below is there when other .pth files are read
_PIP = '#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n'


def make_layer(folder: Path, below: Interpreter) -> Path:
    """A layer in a folder that does not exist yet; gives its interpreter."""
    site = folder / "lib" / ("python" + below.series) / "site-packages"
    site.mkdir(parents=True)
    (folder / "bin").mkdir()
    os.symlink("lib", folder / "lib64")
    for name in ("python", "python3", "python" + below.series):
        os.symlink(below.base, folder / "bin" / name)
    settings = {
        "home": os.path.dirname(below.base),
        "include-system-site-packages": "false" if below.sites else "true",
        "version": below.version,
    }
    (folder / "pyvenv.cfg").write_text("".join("%s = %s\n" % pair for pair in settings.items()))
    if below.sites:
        (site / _BELOW).write_text("".join("import site; site.addsitedir(%r)\n" % path for path in below.sites))
    for name in ("pip", "pip3"):
        (folder / "bin" / name).write_text(_PIP)
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin" / "python"


def find_site(folder: Path) -> str:
    """Where a layer's own packages are; empty when there is no layer."""
    found = sorted(folder.glob("lib/python*/site-packages"))
    return str(found[0]) if found else ""


def is_used(folder: Path) -> bool:
    """Whether a layer holds anything of its own."""
    site = find_site(folder)
    return bool(site) and any(name != _BELOW for name in os.listdir(site))


def freeze_tree(folder: Path) -> None:
    """Take away the leave to add, replace or remove packages; what Python compiles beside them it may still write."""
    for path in _list_shared(folder):
        (path / "__pycache__").mkdir(exist_ok=True)
        path.chmod(0o555)


def thaw_tree(folder: Path) -> None:
    """Give it back, so that the folder can be removed."""
    for path in _list_shared(folder):
        with suppress(OSError):
            path.chmod(0o755)


def _list_shared(folder: Path) -> list[Path]:
    return [*folder.glob("bin"), *folder.glob("lib/python*/site-packages")]
