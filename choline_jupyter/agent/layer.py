"""A layer: a virtual environment of its own on top of another interpreter's packages, made by hand in a moment.

Made by `agent.environment` for what an image's torch is to be kept under, and for what a session adds to its environment.
A venv's own `--system-site-packages` looks past an interpreter that is itself in a venv; here its folders stand in a
`.pth` file. Promise: pip and uv in a layer change the layer and nothing below it.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from choline_jupyter.agent.interpreter import Interpreter

_BELOW = "_choline_below.pth"  # sorts before most: what is below is there when other .pth files are read
_UNDERTAKEN = "installing"
_PIP = '#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n'


def make_layer(folder: Path, below: Interpreter) -> Path:
    """A layer in a folder that does not exist yet; gives its interpreter. It is whole, or not there."""
    made = folder.with_name(folder.name + ".new")
    shutil.rmtree(made, ignore_errors=True)  # of somebody who was killed meanwhile
    _make(made, below)
    os.replace(made, folder)
    return folder / "bin" / "python"


def _make(folder: Path, below: Interpreter) -> None:
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


def find_site(folder: Path) -> str:
    """Where a layer's own packages are; empty when there is no layer."""
    found = sorted(folder.glob("lib/python*/site-packages"))
    return str(found[0]) if found else ""


def is_used(folder: Path) -> bool:
    """Whether a layer holds anything of its own."""
    site = find_site(folder)
    return bool(site) and any(name != _BELOW for name in os.listdir(site))


@contextmanager
def undertake(folder: Path) -> Iterator[None]:
    """Something is installed in the block: should this process be killed in it, `mend_layer` knows."""
    (folder / _UNDERTAKEN).touch()
    yield
    (folder / _UNDERTAKEN).unlink()


def mend_layer(folder: Path) -> None:
    """Have no package in a layer that is there in part: such a one counts as missing from now on, and is installed again."""
    site = Path(find_site(folder)) if (folder / _UNDERTAKEN).exists() else None
    for told in site.glob("*.dist-info") if site else ():
        if not _is_whole(told):
            shutil.rmtree(told, ignore_errors=True)


def _is_whole(told: Path) -> bool:
    """Whether all that a package says it has is there, in the size that it says."""
    try:
        rows = list(csv.reader((told / "RECORD").read_text().splitlines()))
        sizes = [(told.parent / row[0], row[2]) for row in rows if len(row) == 3 and not row[0].endswith(".pyc")]
        return all(path.exists() and size in ("", str(path.stat().st_size)) for path, size in sizes)
    except (OSError, ValueError):
        return False


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
