"""An interpreter of this machine: its version, what it has, and whether that is what a session wishes for.

Called by `agent.environment`. One start of the interpreter tells all of it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Optional

from choline_jupyter.model.environment import choose_kept
from choline_jupyter.model.requirement import Requirement, normalize, read_requirement

_PROBE = r"""
import json, re, sys, sysconfig
from importlib.metadata import distributions
def plain(name):
    return re.sub(r"[-_.]+", "-", name or "").lower()
packages, requires = {}, {}
for found in distributions():
    name = plain(found.metadata["Name"])
    if name and name not in packages:
        packages[name] = found.version
        if name in sys.argv[1:]:
            requires[name] = list(found.requires or ())
paths = sysconfig.get_paths()
print(json.dumps({
    "version": sys.version_info[:3], "executable": sys.executable,
    "base": getattr(sys, "_base_executable", "") or sys.executable,
    "sites": sorted({paths["purelib"], paths["platlib"]}) if sys.prefix != sys.base_prefix else [],
    "packages": packages, "requires": requires,
}))
"""
_PATIENCE = 30.0
_KERNEL = read_requirement("ipykernel>=6.29,<8")


class Interpreter(NamedTuple):
    """`sites` are the folders of packages of a virtual environment; one that is none brings its own along.

    `packages` are versions by normalized name, `requires` what torch and the wishes with extras need.
    """

    executable: str
    base: str
    version: str
    sites: tuple[str, ...]
    packages: dict[str, str]
    requires: dict[str, list[str]]

    @property
    def series(self) -> str:
        """Its version as "3.11"."""
        return ".".join(self.version.split(".")[:2])

    @property
    def kept(self) -> tuple[str, ...]:
        """The packages that belong to this machine and are not replaced."""
        return choose_kept(self.packages, self.requires.get("torch", ()))

    def has_kernel(self) -> bool:
        return bool(_KERNEL.admits(self.packages.get("ipykernel", "0")))

    def list_missing(self, wishes: Iterable[str], *, in_any_version: bool = False) -> list[str]:
        """The wishes that it does not fulfil; a version of what is kept is not one."""
        free = None if in_any_version else set(self.kept)
        return [wish for wish in wishes if not self._fulfils(read_requirement(wish), free)]

    def _fulfils(self, wish: Requirement, free: Optional[set[str]]) -> bool:
        version = self.packages.get(wish.name)
        if version is None or wish.rest:  # a marker or an URL: a resolver's business
            return False
        if not all(self._has_extra(wish.name, extra) for extra in wish.extras):
            return False
        return free is None or wish.name in free or bool(wish.admits(version))

    def _has_extra(self, name: str, extra: str) -> bool:
        """Whether what an extra needs is there, by name; a need that another marker rules out counts too."""
        marked = [need for need in self.requires.get(name, ()) if _names_extra(need, extra)]
        return bool(marked) and all(read_requirement(need).name in self.packages for need in marked)


async def probe_interpreter(python: str, wishes: Sequence[str] = ()) -> Optional[Interpreter]:
    """What a Python has; None for one that does not start or does not answer."""
    names = {"torch", *(read_requirement(wish).name for wish in wishes)}
    null, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    with suppress(OSError, ValueError, KeyError, TypeError, asyncio.TimeoutError):
        process = await asyncio.create_subprocess_exec(
            python, "-c", _PROBE, *sorted(names), stdin=null, stdout=pipe, stderr=null, cwd="/"
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
        return _read(json.loads(said.decode().splitlines()[-1])) if process.returncode == 0 and said else None
    return None


def _read(told: dict[str, Any]) -> Interpreter:
    version = ".".join(map(str, told["version"]))
    return Interpreter(
        told["executable"], told["base"], version, tuple(told["sites"]), told["packages"], told["requires"]
    )


def _names_extra(need: str, extra: str) -> bool:
    marker = need.partition(";")[2].replace('"', "'")
    return any("extra == '%s'" % name in marker for name in (extra, normalize(extra), extra.replace("-", "_")))
