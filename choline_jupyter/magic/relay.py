"""The screen of a local ipykernel: events leave through the kernel's own session, as if the local kernel had made them.

Made by `magic.notebook`. The content of a message is passed on as the bytes it came in, without being parsed. Uses
`session.send`, `iopub_socket`, `_topic` and `get_parent`, which ipykernel 6 and 7 have and others may not:
`can_relay` tells.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from ipykernel.iostream import OutStream
from ipykernel.zmqshell import ZMQDisplayPublisher

from choline_jupyter.magic.screen import PlainScreen, is_capturing
from choline_jupyter.model.event import Event, Kind, read_object

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_REMEMBERED = 1000
_OUTPUTS = (Kind.STREAM, Kind.DISPLAY, Kind.UPDATE, Kind.CLEAR, Kind.RESULT, Kind.ERROR, Kind.COMM)


def can_relay(shell: InteractiveShell) -> bool:
    """Whether the local kernel is one whose messages can be sent like this."""
    kernel = getattr(shell, "kernel", None)
    return all(hasattr(kernel, name) for name in ("session", "iopub_socket", "_topic", "get_parent"))


class RelayScreen:
    """Re-sends events with the parent header of the cell (or of the comm message) that they answer."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._kernel: Any = shell.kernel  # type: ignore[attr-defined]  # ipykernel's shell has it
        self._plain = PlainScreen(shell)
        self._shell: Any = shell
        self._parents: OrderedDict[str, dict[str, Any]] = OrderedDict()

    @property
    def is_ending(self) -> bool:
        # ipykernel's control thread takes the request while the cell waits here.
        return getattr(self._kernel, "_shutdown_message", None) is not None

    def begin(self, msg_id: str) -> None:
        """The running cell's request is the parent of what comes back under this `msg_id`."""
        self.remember(msg_id, self._kernel.get_parent("shell"))
        for stream in (sys.stdout, sys.stderr):
            if getattr(stream, "_flush_pending", True):  # ipykernel's own note; a flush costs it half a millisecond
                stream.flush()

    def remember(self, msg_id: str, parent: dict[str, Any]) -> None:
        self._parents[msg_id] = parent
        self._parents.move_to_end(msg_id)
        while len(self._parents) > _REMEMBERED:
            self._parents.popitem(last=False)

    def show(self, event: Event) -> None:
        if event.kind is Kind.ERROR:
            self._shell._last_traceback = event.read_content().get("traceback")  # what ipykernel puts into its reply
        if self._is_captured(event.kind):
            self._plain.show(event)
        elif event.kind in _OUTPUTS:
            self._send(event)

    def ask(self, prompt: str, is_password: bool) -> str:
        answer = self._kernel.getpass(prompt) if is_password else self._kernel.raw_input(prompt)
        return str(answer)

    def _is_captured(self, kind: Kind) -> bool:
        """Whether `%%capture` or the like has put something else in the place where a local kernel would put this.

        Errors and comm messages go past it in a local kernel, too.
        """
        if kind is Kind.STREAM:
            return not (isinstance(sys.stdout, OutStream) and isinstance(sys.stderr, OutStream))
        if kind is Kind.RESULT:
            return is_capturing(sys.displayhook)
        publisher = self._shell.display_pub
        return kind in (Kind.DISPLAY, Kind.UPDATE, Kind.CLEAR) and not isinstance(publisher, ZMQDisplayPublisher)

    def _send(self, event: Event) -> None:
        kernel, type_ = self._kernel, event.find_type()
        parent = self._parents.get(event.read_parent_id() or "") or {"header": read_object(event.parent)}
        kernel.session.send(
            kernel.iopub_socket,
            type_,
            content=bytes(event.content),
            parent=parent,
            ident=kernel._topic(type_),
            metadata=read_object(event.metadata),
            buffers=list(event.buffers),
        )
