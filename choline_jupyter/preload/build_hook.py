"""The build hook of the preload shim: compiles it for every architecture that remotes have.

Called by hatch for wheels, sdists and editable installs; no part of what is installed. ziglang is compiler, linker and
the C library's stubs in one package, so no machine needs a compiler of its own. Promise: nothing is compiled when what
is there is newer than its sources.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ARCHITECTURES = ("x86_64", "aarch64")
_FOLDER = Path("choline_jupyter/preload")
_SOURCES = ("shim.c", "wrappers.h")
_LIBC = "2.17"  # the oldest glibc that manylinux2014 allows
_FLAGS = ("-shared", "-fPIC", "-Os", "-s", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror")
_MORE = ("-fvisibility=hidden", "-fno-builtin", "-fno-sanitize=all")


class ShimHook(BuildHookInterface[Any]):
    """hatch's custom hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build_shims(Path(self.root) / _FOLDER)


def build_shims(folder: Path) -> None:
    """Have one shared object per architecture beside the sources."""
    newest = max(path.stat().st_mtime for path in (Path(__file__), *(folder / name for name in _SOURCES)))
    for architecture in ARCHITECTURES:
        target = folder / f"shim-{architecture}.so"
        if not target.exists() or target.stat().st_mtime < newest:
            _compile(folder / _SOURCES[0], architecture, target)


def _compile(source: Path, architecture: str, target: Path) -> None:
    temporary = target.with_suffix(".tmp")
    triple = f"{architecture}-linux-gnu.{_LIBC}"
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", triple, *_FLAGS, *_MORE]
    subprocess.run([*compiler, str(source), "-o", str(temporary), "-ldl"], check=True)
    temporary.replace(target)
