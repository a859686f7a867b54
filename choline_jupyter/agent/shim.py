"""The preload shim on this machine: where it is, and how a process and all that it starts are given it.

Called by the supervisor, `agent.kernel.file_hook` and `agent.script`. The compiled shims came with the agent; the one for
this machine is copied to the agent's own folder, named by its content, because that is in sight of every session,
whatever else is hidden from it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from choline_jupyter.agent.file_roots import join_paths

_NAME = "choline-shim-"
_FOLDER = Path(__file__).resolve().parents[1] / "preload"
_WORDS = {"CHOLINE_FILES": "socket", "CHOLINE_FILES_ROOTS": "roots", "CHOLINE_FILES_EXCEPT": "except"}


def find_shim(home: Path, python: str) -> str:
    """The shim's file for programs of an interpreter; empty where none fits. Raises OSError for the disk."""
    source = _FOLDER / ("shim-%s.so" % platform.machine())
    if sys.platform != "linux" or not source.is_file() or not _has_glibc(os.path.realpath(python)):
        return ""
    data = source.read_bytes()
    target = home / "preload" / ("%s%s.so" % (_NAME, hashlib.sha256(data).hexdigest()[:16]))
    if not target.exists():
        target.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = target.with_suffix(".tmp")
        temporary.write_bytes(data)
        os.replace(temporary, target)
    return str(target)


def mark_environment(environment: MutableMapping[str, str], files: Mapping[str, Any]) -> None:
    """Say to the shim in a process, and in all that it starts, where to ask and for what."""
    for name, key in _WORDS.items():
        environment[name] = files[key] if isinstance(files[key], str) else join_paths(files[key])
    if files["preload"]:
        add_preload(environment, files["preload"])


def add_preload(environment: MutableMapping[str, str], shim: str) -> None:
    """Have the dynamic linker load this shim before anything else, and no other; none when it is empty."""
    others = environment.pop("LD_PRELOAD", "").replace(":", " ").split()
    wanted = [*filter(None, [shim]), *(one for one in others if not os.path.basename(one).startswith(_NAME))]
    if wanted:
        environment["LD_PRELOAD"] = " ".join(wanted)


def read_marks(environment: Mapping[str, str]) -> list[bytes]:
    """What the shim would read from an environment, for a process that was forked and has read another."""
    return [os.fsencode(environment[name]) for name in _WORDS]


@functools.lru_cache(maxsize=16)
def _has_glibc(python: str) -> bool:
    """Whether an interpreter is dynamically linked with glibc; another one's linker may not know what a shim is."""
    try:
        return platform.libc_ver(python)[0] == "glibc"
    except OSError:
        return False
