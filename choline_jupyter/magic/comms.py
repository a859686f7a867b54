"""Widgets: stand-ins in the local kernel for comms that live in the remote one.

Made by `magic.stage` when the remote kernel opens a comm. The front end's messages arrive in the local kernel, on its
main thread or on a subshell's, and are passed on; the stand-in then waits a moment for the remote to have handled
them, because the front end drops a request's outputs as soon as the local kernel says that it is idle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Pass = Callable[[str, dict[str, Any]], None]


class RemoteComm:
    """One comm, in the shape that `comm.CommManager` expects of a comm."""

    def __init__(self, comm_id: str, target_name: str, pass_on: Pass) -> None:
        self.comm_id, self.target_name = comm_id, target_name
        self._pass_on = pass_on

    def handle_msg(self, message: dict[str, Any]) -> None:
        """A message from the front end; called by the local kernel."""
        self._pass_on("comm_msg", message)

    def handle_close(self, message: dict[str, Any]) -> None:
        """The front end closed it; called by the local kernel."""
        self._pass_on("comm_close", message)

    def close(self, *arguments: object, **keywords: object) -> None:
        """The local kernel shuts down; the remote comm is not its to close."""


class RemoteComms:
    """The stand-ins of one session. Used by the thread that shows events."""

    def __init__(self, pass_on: Pass) -> None:
        self._pass_on = pass_on
        self._ids: set[str] = set()

    def note(self, type_: str, content: dict[str, Any]) -> bool:
        """A comm message came from the remote; whether it is one of ours, to be passed to the front end."""
        comm_id = str(content.get("comm_id", ""))
        if type_ == "comm_open":
            self._register(comm_id, str(content.get("target_name", "")))
        elif type_ == "comm_close" and comm_id in self._ids:
            self._remove(comm_id)
            return True
        return comm_id in self._ids

    def clear(self) -> None:
        """The kernel that they were of has ended; the front end is told nothing, as when a local one ends."""
        for comm_id in list(self._ids):
            self._remove(comm_id)

    def _register(self, comm_id: str, target_name: str) -> None:
        self._ids.add(comm_id)
        _find_manager().comms[comm_id] = RemoteComm(comm_id, target_name, self._pass_on)

    def _remove(self, comm_id: str) -> None:
        self._ids.discard(comm_id)
        _find_manager().comms.pop(comm_id, None)


def _find_manager() -> Any:
    from comm import get_comm_manager

    return get_comm_manager()
