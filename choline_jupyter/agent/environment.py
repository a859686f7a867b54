"""Environments: the Python that a session's kernels run in, found or made, then kept for the next session.

Called by `agent.preparation`. An interpreter on this machine that has what is wanted is used as it is; else an
environment is made under the cache by the digest of what it holds, on top of an interpreter that has torch, if there is
one. What a session wants later goes into a layer of its own. Promise: an environment is either whole (it has its `ready`
file), and then nothing writes into it any more, or not there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

from choline_jupyter.agent.installation import Bring, Order, Tell, install, make_venv
from choline_jupyter.agent.interpreter import Interpreter, probe_interpreter
from choline_jupyter.agent.layer import freeze_tree, make_layer, mend_layer, thaw_tree, undertake
from choline_jupyter.agent.place import find_cache
from choline_jupyter.agent.tool import EnvironmentFault
from choline_jupyter.model.environment import BASE
from choline_jupyter.model.requirement import find_difference, read_requirement


class Environments:
    """The environments of this user on this machine.

    `tell` is called with each stage's name; `bring` has the client fetch the wheels of what an environment holds, into
    folders that are this one's to remove.
    """

    def __init__(self) -> None:
        self._folder = find_cache() / "environments"
        self._locks: dict[str, asyncio.Lock] = {}

    def has_made(self, python: str) -> bool:
        """Whether an interpreter is of an environment that was made here, so that nobody else relies on it."""
        return python.startswith(str(self._folder) + os.sep)

    async def find(self, order: Order, tell: Tell, bring: Bring) -> str:
        """An interpreter with ipykernel and what is ordered: one that is here, else a made one. Raises EnvironmentFault."""
        seen: list[Interpreter] = []
        for candidate in dict.fromkeys(filter(None, (find_active(), sys.executable))):
            found = await probe_interpreter(candidate, order.packages)
            if found and found.has_kernel() and not found.list_missing(order.packages):
                _tell_all(list_differences(found, order, found.kept), tell)
                return found.executable
            seen += [found] if found else []
        below = next((one for one in seen if one.kept), None)
        target = self._folder / _digest(order, below)
        async with self._locks.setdefault(str(target), asyncio.Lock()):
            if not (target / "ready").exists():
                await self._make(target, order, below, tell, bring)
        _tell_all(_read_ready(target)["notices"], tell)
        return str(target / "bin" / "python")

    async def add(self, python: str, folder: Path, order: Order, tell: Tell, bring: Bring, is_named: bool) -> bool:
        """Have what is ordered in a session's own layer on `python`; whether anything was missing.

        In an interpreter that the user has named for this machine his versions there are right.
        """
        mend_layer(folder)
        found = await self._look(str(folder / "bin" / "python") if folder.exists() else python, order.packages)
        missing = found.list_missing(order.packages, in_any_version=is_named)
        if not missing:
            return False
        if not folder.exists():
            make_layer(folder, found)
        inside = str(folder / "bin" / "python")
        with undertake(folder):
            await install(inside, found, order._replace(packages=tuple(missing)), tell, bring, find_libc())
        _tell_all(list_differences(await self._look(inside, missing), order, found.kept), tell)
        return True

    def lay(self, python: str, folder: Path) -> None:
        """A session's own layer on an environment that was made here."""
        if not folder.exists():
            make_layer(folder, _read_interpreter(_read_ready(Path(python).parents[1])["interpreter"]))

    async def _look(self, python: str, wishes: Sequence[str]) -> Interpreter:
        found = await probe_interpreter(python, wishes)
        if found is None:
            raise EnvironmentFault("%s does not start" % python)
        return found

    async def _make(self, target: Path, order: Order, below: Optional[Interpreter], tell: Tell, bring: Bring) -> None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_tree(target)
        if below:
            tell("preparing", "making an environment on top of %s, for its torch" % below.executable)
            make_layer(target, below)
        else:
            await make_venv(target, order.python, tell)
        python = str(target / "bin" / "python")
        whole = order._replace(packages=(*BASE, *order.packages))
        await install(python, await self._look(python, order.packages), whole, tell, bring, find_libc())
        made = await self._look(python, order.packages)
        if not made.has_kernel():
            raise EnvironmentFault("the environment has no ipykernel")
        notices = list(list_differences(made, order, made.kept))
        (target / "ready").write_text(json.dumps({"interpreter": made._asdict(), "notices": notices}))
        freeze_tree(target)


def list_differences(there: Interpreter, order: Order, kept: Sequence[str]) -> Iterator[str]:
    """What a session finds there that is not as it is at home, in short."""
    wanted = order.python if not order.python[:1].isdigit() else "==%s.*" % order.python
    if read_requirement("python" + wanted).admits(there.version) is False:
        yield "Python %s there, not %s" % (there.series, order.python)
    for wish in map(read_requirement, order.packages):
        difference = find_difference(wish, there.packages)
        if difference:
            yield difference if wish.name in kept else difference.replace(" image ", " there ")


def find_libc() -> tuple[str, str]:
    """Which C library this machine has, and its version."""
    name, version = platform.libc_ver(sys.executable)
    return name or "musl", version or "1.2"


def find_active() -> str:
    """The `python3` of the user's PATH, which need not be the interpreter that runs the agent."""
    return shutil.which("python3") or ""


def remove_tree(folder: Path) -> None:
    """Remove an environment, whatever may be done to it."""
    thaw_tree(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _tell_all(notices: Iterator[str] | Sequence[str], tell: Tell) -> None:
    for notice in notices:
        tell("notice", notice + ".")


def _read_ready(target: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((target / "ready").read_text() or '{"notices": []}')
    return read


def _read_interpreter(told: dict[str, Any]) -> Interpreter:
    return Interpreter(**{**told, "sites": tuple(told["sites"])})


def _digest(order: Order, below: Optional[Interpreter]) -> str:
    under = (below.executable, *("%s==%s" % (name, below.packages[name]) for name in below.kept)) if below else ()
    text = "\n".join((platform.python_version(), order.python, *BASE, *sorted(order.packages), *under))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
