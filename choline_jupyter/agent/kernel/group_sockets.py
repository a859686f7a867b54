"""The connections of this process's process groups, so that they can be cut: what frees a thread that waits in gloo.

Used by `process_group`. Torch's own abort is for NCCL; of gloo it lets go of the group while a thread goes on waiting in it.
A connection that is shut down fails every operation on it at once, here and on the other side. What a group has opened is
what is there after it was made and was not before; listening sockets stay, as gloo ends the process when one fails.
"""

from __future__ import annotations

import functools
import os
import socket
from contextlib import suppress
from typing import Any, Optional

_FOLDER = "/proc/self/fd"


class GroupSockets:
    """`note` is called around the making of each group, in the thread that makes it; `cut` by any other."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}
        self._before: Optional[dict[int, str]] = None

    def watch(self, c10d: Any) -> None:
        """Have every group that is made from now on, subgroups included, leave its sockets here."""
        make = c10d._new_process_group_helper

        @functools.wraps(make)
        def make_noted(*arguments: Any, **keywords: Any) -> Any:
            self._before = _list_sockets()
            try:
                return make(*arguments, **keywords)
            finally:
                self._note()
                self._before = None

        c10d._new_process_group_helper = make_noted

    def cut(self) -> None:
        """Shut down all that are still what they were."""
        self._note()  # of a group that is being made
        known, self._known = self._known, {}
        there = _list_sockets()
        for fd, name in known.items():
            if there.get(fd) == name:
                _shut_down(fd)

    def _note(self) -> None:
        before = self._before
        if before is not None:
            self._known.update({fd: name for fd, name in _list_sockets().items() if before.get(fd) != name})


def _list_sockets() -> dict[int, str]:
    """By descriptor, the kernel's name of each socket of this process."""
    found = {}
    for name in os.listdir(_FOLDER):
        with suppress(OSError):
            link = os.readlink("%s/%s" % (_FOLDER, name))
            if link.startswith("socket:"):
                found[int(name)] = link
    return found


def _shut_down(fd: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(fd)) as connection:  # closed meanwhile, or no connection
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.getpeername()
            connection.shutdown(socket.SHUT_RDWR)
