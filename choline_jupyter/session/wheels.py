"""Wheels for another machine's interpreter, resolved and fetched here, where there is a network.

Called by `session.provision`. uv resolves for the other Python and platform (pip would take this one's for the markers),
pip downloads exactly that; both use the indexes that this machine's pip is set to. Nothing is built: a package without
a wheel for that machine is an error.
"""

from __future__ import annotations

import ast
import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from choline_jupyter.errors import EnvironmentFailed
from choline_jupyter.model.environment import BASE, Target

_PYTHON = re.compile(r"3\.\d{1,2}\Z")
_VERSION = re.compile(r"\d\.\d{1,2}\Z")
_MACHINES = ("x86_64", "aarch64", "i686", "ppc64le", "s390x", "armv7l")
_GLIBCS = (17, 28, *range(31, 41))  # that uv has names for: manylinux_2_17 ...
_SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}
_INSTALLER = "installer>=0.7"  # what unpacks them over there


def read_target(told: dict[str, Any]) -> Target:
    """What a machine says of its interpreter, believed as far as it makes sense; raises EnvironmentFailed."""
    python, machine, libc = str(told.get("python")), str(told.get("machine")), list(told.get("libc", ()))
    libc_name, _, libc_version = "-".join(map(str, libc)).partition("-")
    if not (_PYTHON.match(python) and machine in _MACHINES and _VERSION.match(libc_version)):
        raise EnvironmentFailed(
            f"There are no wheels for a machine of the kind {machine!r}.",
            "Make an environment with ipykernel on it and name its interpreter in the configuration (python = ...).",
        )
    return Target(python, machine, (libc_name, libc_version))


async def fetch_wheels(target: Target, packages: Sequence[str], folder: Path) -> list[Path]:
    """Wheels of `packages` and of all that they need, for `target`; files of `folder`. Raises EnvironmentFailed."""
    return await asyncio.get_running_loop().run_in_executor(None, _fetch, target, packages, folder)


def _fetch(target: Target, packages: Sequence[str], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    pins = _resolve(target, packages)
    (folder / "pins.txt").write_text(pins)
    platforms = [part for name in list_platforms(target) for part in ("--platform", name)]
    _run(
        [*_find_pip(), "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder),
         "--python-version", target.python, "--implementation", "cp", *platforms, "-r", str(folder / "pins.txt")],
        {},
    )  # fmt: skip
    return sorted(folder.glob("*.whl"))


def _resolve(target: Target, packages: Sequence[str]) -> str:
    wishes = "\n".join((*BASE, _INSTALLER, *packages))
    return _run(
        [_find_uv(), "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:",
         "--index-strategy", "unsafe-best-match",  # pip's own, which the user's settings are made for
         "--python-version", target.python, "--python-platform", name_platform(target)],
        _translate_settings(), wishes,
    )  # fmt: skip


def name_platform(target: Target) -> str:
    """In uv's words."""
    name, version = target.libc
    if name != "glibc":
        return f"{target.machine}-unknown-linux-musl"
    minor = max((known for known in _GLIBCS if known <= int(version.partition(".")[2])), default=_GLIBCS[0])
    return f"{target.machine}-manylinux_2_{minor}"


def list_platforms(target: Target) -> Iterator[str]:
    """Every tag that such a machine takes, newest first (PEP 600, PEP 656)."""
    name, version = target.libc
    minor = int(version.partition(".")[2])
    family = "manylinux_2" if name == "glibc" else "musllinux_1"
    yield from (f"{family}_{number}_{target.machine}" for number in range(minor, -1, -1))
    if name == "glibc":
        yield from (f"{old}_{target.machine}" for old in ("manylinux2014", "manylinux2010", "manylinux1"))
    yield f"linux_{target.machine}"


def _find_uv() -> str:
    import uv

    return os.fsdecode(uv.find_uv_bin())


def _find_pip() -> list[str]:
    """The one of this environment, or one that uv brings where there is none."""
    import importlib.util

    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    return [_find_uv(), "tool", "run", "--quiet", "pip"]


def _translate_settings() -> dict[str, str]:
    """What pip is set to, for uv, which reads neither pip's files nor its variables."""
    told = subprocess.run([*_find_pip(), "config", "list"], capture_output=True, text=True, check=False)
    settings: dict[str, str] = {}
    for line in told.stdout.splitlines():
        key, _, value = line.partition("=")
        name = _SETTINGS.get(key.rpartition(".")[2])
        if name and value.startswith(("'", '"')):
            settings[name] = " ".join(ast.literal_eval(value).split())
    return settings


def _run(command: list[str], settings: dict[str, str], text: str = "") -> str:
    """A tool's output; raises EnvironmentFailed with what it said last."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, env={**settings, **os.environ}
    )
    if done.returncode != 0:
        lines = [
            line.encode("ascii", "ignore").decode().strip() for line in done.stderr.splitlines() if line.strip()
        ] or ["nothing"]
        raise EnvironmentFailed(
            f"The packages for that machine could not be fetched here: {' '.join(lines)[:400]}",
            "Name versions that exist for its Python, or make an environment there yourself (python = ... in the configuration).",
        )
    return done.stdout
