"""One node of a script that runs on several machines: it meets the others, runs attempts, says how each of them ended.

Used by `agent.script`, in its only thread. Who takes part, under which numbers and where they meet is decided at home
(`session.nodes`), anew for each attempt, so no node hosts what another cannot do without. When nobody has said for ten minutes
what is to be done, the job ends as its last attempt did: a machine does not wait, and cost, for ever.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Optional

from choline_jupyter.agent.meeting import Meeting, list_addresses, reach
from choline_jupyter.agent.workspace import Workspace
from choline_jupyter.store.entry import EntryError, check_path

PATIENCE = 600.0  # seconds
_PROBE = "import importlib.metadata as m, platform; print(platform.python_version(), m.version('torch'))"
_INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "TP_SOCKET_IFNAME")

Tell = Callable[[dict[str, Any]], None]


class Node:
    """`tell` appends a fact to the journal. `last_code` is what the job ends with if nobody says otherwise."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._meeting: Optional[Meeting] = None
        self._number = 0
        self._since = time.monotonic()
        self.last_code = 1
        self._versions = ["", ""]

    def open(self, python: str, environment: Mapping[str, str]) -> None:
        """The job has come: say where this machine can be reached, and what it would run the script with."""
        self._versions = _find_versions(python, environment)
        self.meet()

    def meet(self) -> None:
        """Be there for the others."""
        self._leave()
        self._since = time.monotonic()
        self._meeting = Meeting()
        python, torch = self._versions
        self._tell({
            "state": "meeting", "addresses": list_addresses(), "port": self._meeting.port, "word": self._meeting.word,
            "python": python, "torch": torch,
        })  # fmt: skip

    def accept(self, order: Mapping[str, Any]) -> str:
        """What an order wants; nothing for one that has come before (it is sent again after a cut)."""
        number = int(order.get("number", 0))
        if number <= self._number:
            return ""
        self._number, self._since = number, time.monotonic()
        return str(order.get("do", ""))

    def reach(self, order: Mapping[str, Any]) -> None:
        """Say which of the others' addresses can be reached from here."""
        self._tell({"state": "reached", "round": order.get("round"), "found": reach(order.get("targets") or ())})

    def prepare(self, group: Mapping[str, Any], environment: dict[str, str]) -> None:
        """An attempt begins: its ranks talk through the address that was agreed on."""
        self._leave()
        interface = next((name for address, name in list_addresses() if address == group.get("own")), "")
        for variable in _INTERFACES if interface else ():
            environment.setdefault(variable, interface)

    def note_end(self, group: Mapping[str, Any], code: int, cause: Optional[dict[str, Any]], words: str) -> None:
        """An attempt has ended here."""
        self.last_code = code
        self._tell({"state": "attempt", "attempt": group["attempt"], "code": code, "cause": cause, "words": words})
        self.meet()

    def clear(self, workspace: Workspace, order: Mapping[str, Any]) -> None:
        """Remove files of checkpoints that did not become whole, or are older than those that come."""
        for path in order.get("remove") or ():
            with suppress(OSError, EntryError):
                target = os.path.join(workspace.root, check_path(str(path)))
                os.unlink(target)
                os.rmdir(os.path.dirname(target))  # unless something else is in it

    def find_patience(self) -> float:
        """Seconds until nobody is waited for any more."""
        return max(0.0, self._since + PATIENCE - time.monotonic())

    def close(self) -> None:
        """The job is over."""
        self._leave()

    def _leave(self) -> None:
        if self._meeting:
            self._meeting.close()
            self._meeting = None


def _find_versions(python: str, environment: Mapping[str, str]) -> list[str]:
    """Python's and torch's, empty where there is none; torch is not imported for it."""
    try:
        told = subprocess.run(
            [python, "-c", _PROBE], env=dict(environment), capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return ["", ""]
    words = told.stdout.split()
    return words if len(words) == 2 else ["", ""]
