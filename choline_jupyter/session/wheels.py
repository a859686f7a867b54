"""Wheels for another machine's interpreter, resolved and fetched here, where there is a network.

Called by `session.provision`. uv resolves for the other Python and platform (pip would take this one's for the markers),
pip downloads exactly that; both use the indexes that this machine's pip is set to. Nothing is built: a package without
a wheel for that machine is an error. What that machine has already, or keeps, is not fetched.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from choline_jupyter.errors import EnvironmentFailed
from choline_jupyter.model.environment import BASE, Target
from choline_jupyter.model.index_settings import read_settings, strip_credentials, write_for_uv
from choline_jupyter.model.requirement import read_requirement
from choline_jupyter.model.resolution import ask, relax

_PYTHON = re.compile(r"3\.\d{1,2}\Z")
_VERSION = re.compile(r"\d\.\d{1,2}\Z")
_MACHINES = ("x86_64", "aarch64", "i686", "ppc64le", "s390x", "armv7l")
_GLIBCS = (17, 28, *range(31, 41))  # that uv has names for: manylinux_2_17 ...
_PIN = re.compile(r"[a-z0-9][a-z0-9-]{0,100}==[A-Za-z0-9.!_+-]{1,60}\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,100}\Z")
_MOST = 5000  # packages that an interpreter may say it has
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
    have = tuple(line for line in list(told.get("have", ()))[:_MOST] if _PIN.match(str(line)))
    kept = tuple(name for name in list(told.get("kept", ()))[:_MOST] if _NAME.match(str(name)))
    return Target(python, machine, (libc_name, libc_version), have, kept)


_LONGEST = 300  # characters of what a tool says


class Fetched(NamedTuple):
    """Files, and one sentence on what is not among them as it was wished."""

    wheels: list[Path]
    notice: str = ""


async def fetch_wheels(target: Target, packages: Sequence[str], folder: Path, found: Sequence[str] = ()) -> Fetched:
    """Wheels of `packages` and of all that they need, for `target`; files of `folder`. Raises EnvironmentFailed.

    Those that were `found` in the user's code come in another version, or stay away, where theirs are not to be had.
    """
    return await asyncio.get_running_loop().run_in_executor(None, _fetch, target, packages, folder, found)


def _fetch(target: Target, packages: Sequence[str], folder: Path, found: Sequence[str]) -> Fetched:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return Fetched(_download(target, _resolve(target, [*packages, *found], folder), folder))
    except EnvironmentFailed as error:
        if not found:
            raise
        failure = error
    had = _sort_out(target, found, folder)
    lost = [wish for wish in found if read_requirement(wish).name not in {read_requirement(one).name for one in had}]
    notice = f"Not installed: {', '.join(lost)}. {failure}" if lost else ""
    for more in (had, relax(had)):
        with suppress(EnvironmentFailed):
            return Fetched(_download(target, _resolve(target, [*packages, *more], folder), folder), notice)
    notice = f"Not installed: {', '.join(found)}. {failure}"
    return Fetched(_download(target, _resolve(target, packages, folder), folder), notice)


def _sort_out(target: Target, found: Sequence[str], folder: Path) -> list[str]:
    """Those that can be had by themselves, in their version or in another."""
    had = []
    for wish in found:
        for version in dict.fromkeys((wish, *relax([wish]))):
            with suppress(EnvironmentFailed):
                _resolve(target, [version], folder)
                had.append(version)
                break
    return had


def _download(target: Target, pins: Sequence[str], folder: Path) -> list[Path]:
    """Nothing at all where there is nothing to unpack."""
    if all(read_requirement(pin).name == read_requirement(_INSTALLER).name for pin in pins):
        return []
    (folder / "pins.txt").write_text("\n".join(pins))
    platforms = [part for name in list_platforms(target) for part in ("--platform", name)]
    _run(
        [*_find_pip(), "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder),
         "--python-version", target.python, "--implementation", "cp", *platforms, "-r", str(folder / "pins.txt")],
        {},
    )  # fmt: skip
    return sorted(folder.glob("*.whl"))


def _resolve(target: Target, packages: Iterable[str], folder: Path) -> list[str]:
    """The pins of what has to be brought; what is there stays as it is, if that can be."""
    have = [line for line in target.have if not line.startswith("installer==")]  # it is always brought
    question = ask((*BASE, _INSTALLER, *packages), have, target.kept)
    overrides, constraints = folder / "overrides", folder / "constraints"
    overrides.write_text(question.overrides)
    constraints.write_text(question.constraints)
    command = [
        _find_uv(), "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:",
        "--index-strategy", "unsafe-best-match",  # pip's own, which the user's settings are made for
        "--python-version", target.python, "--python-platform", name_platform(target), "--overrides", str(overrides),
    ]  # fmt: skip
    settings = write_for_uv(read_settings(os.environ))
    try:
        pins = _run([*command, "--constraints", str(constraints)], settings, question.wishes)
    except EnvironmentFailed:
        if not target.have:
            raise
        pins = _run(command, settings, question.wishes)
    return question.read(pins)


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


def _run(command: Sequence[str], settings: Mapping[str, str], text: str = "") -> str:
    """A tool's output; raises EnvironmentFailed with what it said last."""
    quiet = {**settings, **os.environ, "NO_COLOR": "1"}
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=quiet)
    if done.returncode != 0:
        raise EnvironmentFailed(
            f"The packages for that machine could not be fetched here: {_shorten(done.stderr)}",
            "Name versions that exist for its Python, or make an environment there yourself (python = ... in the configuration).",
        )
    return done.stdout


def _shorten(said: str) -> str:
    """What a resolver says: its reason, without the lines around that and its drawing of them."""
    text = " ".join(strip_credentials(said).encode("ascii", "ignore").decode().split()) or "nothing"
    reason = text[text.find("Because ") :] if "Because " in text else text
    return reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 3]}..."
