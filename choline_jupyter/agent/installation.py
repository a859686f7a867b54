"""Installing into an environment or a layer: with uv, with pip, or from wheels that the client brings.

Called by `agent.environment`. What the interpreter below has is not installed again; what belongs to the machine (torch,
CUDA) is not replaced, whoever asks for it in whichever version.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from typing import Callable, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from choline_jupyter.agent.interpreter import Interpreter
from choline_jupyter.agent.tool import EnvironmentFault, find_uv, run_tool
from choline_jupyter.model.environment import Target
from choline_jupyter.model.index_settings import Settings, read_settings, write_for_pip, write_for_uv
from choline_jupyter.model.requirement import read_requirement
from choline_jupyter.model.resolution import ask, relax

_INSTALL = Path(__file__).with_name("wheel_install.py")
_RESOLVE = ("pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--index-strategy", "unsafe-best-match")

_PATIENCE = 5.0

Tell = Callable[[str, str], None]  # "preparing" or "notice", and what
Bring = Callable[[Target], Awaitable[Sequence[Path]]]


class Order(NamedTuple):
    """What a session asks for. `is_found`: by its code, so that another version will do where there is none of these.

    `python` is the version wanted ("3.11"), `indexes` what the client's pip is set to.
    """

    packages: tuple[str, ...] = ()
    is_found: bool = False
    python: str = ""
    indexes: Settings = {}  # noqa: RUF012 - nobody writes into it


async def install(
    python: str, below: Interpreter, order: Order, tell: Tell, bring: Bring, libc: tuple[str, str]
) -> None:
    """Install what is ordered into the environment of `python`, which has what `below` has. Raises EnvironmentFault."""
    tell("preparing", "installing " + ", ".join(read_requirement(wish).name for wish in order.packages))
    attempts = [order.packages, tuple(relax(order.packages))] if order.is_found else [order.packages]
    for wishes in attempts:
        try:
            await _fetch(python, below, _leave_out(wishes, below.kept), order.indexes)
            return
        except EnvironmentFault as error:
            fault = error
            if fault.is_reach:
                break
    tell("preparing", "the packages come through your machine, because here %s" % fault)
    await _unpack(python, await bring(describe_target(below, libc)), tell)


def describe_target(below: Interpreter, libc: tuple[str, str]) -> Target:
    """What wheels must fit."""
    have = tuple("%s==%s" % pair for pair in sorted(below.packages.items()))
    return Target(below.series, os.uname().machine, libc, have, below.kept)


def _leave_out(wishes: Iterable[str], kept: Sequence[str]) -> list[str]:
    return [wish for wish in wishes if read_requirement(wish).name not in kept]


async def _fetch(python: str, below: Interpreter, wishes: Sequence[str], indexes: Settings) -> None:
    """From this machine's indexes."""
    there = [wish for wish in wishes if "@ file:" in wish]
    if there:
        raise EnvironmentFault("%s is not to be had" % read_requirement(there[0]).name, is_reach=True)
    settings = {**indexes, **read_settings(os.environ)}
    uv = find_uv()
    if uv:
        await _fetch_by_uv(uv, python, below, wishes, settings)
    else:
        await _fetch_by_pip(python, below, wishes, settings)


async def _fetch_by_uv(uv: str, python: str, below: Interpreter, wishes: Sequence[str], settings: Settings) -> None:
    """Resolve, then install what is missing: uv by itself would not see what is below."""
    variables = {key: value for key, value in write_for_uv(settings).items() if key not in os.environ}
    have = ["%s==%s" % pair for pair in below.packages.items()]
    with tempfile.TemporaryDirectory(prefix="choline-") as name:
        overrides, constraints, pins = (Path(name) / file for file in ("overrides", "constraints", "pins"))
        question = ask(wishes, have, below.kept)
        overrides.write_text(question.overrides)
        constraints.write_text(question.constraints)
        command = (uv, *_RESOLVE, "--python", python, "--overrides", str(overrides))
        asked = question.wishes
        try:
            resolved = await run_tool(*command, "--constraints", str(constraints), text=asked, settings=variables)
        except EnvironmentFault as fault:
            if fault.is_reach or not have:
                raise
            resolved = await run_tool(*command, text=asked, settings=variables)  # newer ones than there are below
        new = question.read(resolved)
        pins.write_text("\n".join(new))
        if new:
            await run_tool(
                uv, "pip", "install", "--quiet", "--no-deps", "--index-strategy", "unsafe-best-match",
                "--python", python, "-r", str(pins), settings=variables,
            )  # fmt: skip


async def _fetch_by_pip(python: str, below: Interpreter, wishes: Sequence[str], settings: Settings) -> None:
    """Pip sees what is below; it is told that what is kept stays. Where it could reach nothing it is not made ready."""
    await _check_reach(settings)
    if "pip" not in below.packages:
        await run_tool(python, "-m", "ensurepip")
    with tempfile.TemporaryDirectory(prefix="choline-") as name:
        constraints = Path(name) / "constraints"
        constraints.write_text("".join("%s==%s\n" % (one, below.packages[one]) for one in below.kept))
        options = ("--quiet", "--no-input", "--disable-pip-version-check", "-c", str(constraints))
        await run_tool(python, "-m", "pip", "install", *options, *wishes, settings=write_for_pip(settings))


async def _unpack(python: str, wheels: Sequence[Path], tell: Tell) -> None:
    """From wheels alone; their folder goes."""
    try:
        if wheels:
            tell("preparing", "installing %d packages" % len(wheels))
            await run_tool(python, str(_INSTALL), *map(str, wheels))
    finally:
        for folder in {wheel.parent for wheel in wheels}:
            shutil.rmtree(folder, ignore_errors=True)


async def make_venv(target: Path, version: str, tell: Tell) -> None:
    """An empty environment, of the wanted version of Python where uv has or gets one."""
    uv = find_uv()
    tell("preparing", "making an environment with %s" % ("uv" if uv else "venv"))
    if not uv:
        await run_tool(sys.executable, "-m", "venv", "--without-pip", str(target))
        return
    for wanted in filter(None, (version, sys.executable)):
        try:
            await run_tool(uv, "venv", "--quiet", "--python", wanted, str(target))
            return
        except EnvironmentFault as error:
            fault = error
            shutil.rmtree(target, ignore_errors=True)
    raise fault


async def _check_reach(settings: Settings) -> None:
    """Raise EnvironmentFault where none of the indexes that are set answers: making pip ready takes longer than that."""
    urls = [url for key in ("index-url", "extra-index-url", "find-links") for url in settings.get(key, ())]
    is_plain = "index-url" in settings and all(url.startswith(("http://", "https://")) for url in urls)
    if is_plain and not getproxies() and not any(await asyncio.gather(*map(_answers, urls))):
        raise EnvironmentFault("%s cannot be reached" % urlsplit(urls[0]).hostname, is_reach=True)


async def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        _, writer = await asyncio.wait_for(asyncio.open_connection(parts.hostname, port), _PATIENCE)
    except (OSError, ValueError, asyncio.TimeoutError):
        return False
    writer.close()
    return True
