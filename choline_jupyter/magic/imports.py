"""The packages that a session on another machine needs for a cell: found here, wished for before the cell runs.

Made by `magic.notebook`, one per shell; called in the notebook's main thread. Promise: a cell that imports nothing new costs
no process and no round trip.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.packages import find_packages

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from choline_jupyter.magic.luggage import Luggage
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession
    from choline_jupyter.session.spec import SessionSpec

_ABSENT = re.compile(r"No module named '([^']+)'")


class CellImports:
    """Knows the notebook's cells by its luggage."""

    def __init__(self, shell: InteractiveShell, bridge: Bridge, luggage: Luggage) -> None:
        self._shell, self._bridge, self._luggage = shell, bridge, luggage
        self._unknown: set[str] = set()

    def complete(self, spec: SessionSpec, cell: str, number: int) -> SessionSpec:
        """The session with what its first cell, which has this number in the notebook, needs."""
        return dataclasses.replace(spec, packages=self._find(cell, number)) if _is_wanted(spec) else spec

    def require(self, session: LiveSession, spec: SessionSpec, cell: str, number: int) -> None:
        """Have the session hold what a cell needs, or what the user has named for it."""
        packages = self._find(cell, number) if _is_wanted(spec) else spec.packages
        if not session.packages.issuperset(packages):
            self._bridge.post(session.add_packages, packages, spec.are_found)

    def explain(self, reply: dict[str, Any]) -> None:
        """A module that was not there, and that this machine could not have told of."""
        absent = _ABSENT.search(str(reply.get("evalue"))) if reply.get("ename") == "ModuleNotFoundError" else None
        if absent and absent[1].partition(".")[0] in self._unknown:
            sys.stderr.write(
                f"choline: nothing that is installed here has {absent[1]}, so none was installed there. "
                "`%pip install` in the cell, or --env FILE, says which it is.\n"
            )

    def _find(self, cell: str, number: int) -> tuple[str, ...]:
        found = find_packages(
            self._luggage.list_sources(cell, number), self._shell.user_ns, self._luggage.list_inputs()
        )
        self._unknown |= set(found.unknown)
        return found.requirements


def _is_wanted(spec: SessionSpec) -> bool:
    """On this machine a session has this environment; where the user has named what it holds, that is what it holds."""
    return spec.provider != "local" and spec.are_found
