"""Sees a widget's messages while a cell runs: the kernel itself comes to them only when the cell has ended.

Made by `magic.widget_meter`. What is seen goes its usual way as well, unchanged; nothing is taken, answered or put in another
order. Uses `shell_stream`, `session` and `io_loop` of an ipykernel, version 6 or 7, and the stream's callback: `can_tap` tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import zmq

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

Notice = Callable[[dict[str, Any]], None]


def can_tap(shell: InteractiveShell) -> bool:
    """Whether the kernel's messages can be seen."""
    kernel: Any = getattr(shell, "kernel", None)
    has_all = all(getattr(kernel, name, None) is not None for name in ("shell_stream", "session", "io_loop"))
    return has_all and callable(getattr(kernel.shell_stream, "_recv_callback", None))


class CommTap:
    """Calls `notice(data)` for each message to one comm, from `__init__` to `close`.

    ipykernel 7 reads its shell channel in a thread of its own, and that is where `notice` is called; ipykernel 6 reads it in the
    main thread, which has to `look` while a cell runs.
    """

    def __init__(self, shell: InteractiveShell, comm_id: str, notice: Notice) -> None:
        self._kernel: Any = shell.kernel  # type: ignore[attr-defined]  # `can_tap` has seen it
        self._comm_id = comm_id
        self._notice: Notice | None = notice
        self._stream = self._kernel.shell_stream
        self._pass_on = self._stream._recv_callback
        self._stream._recv_callback = self._take

    def look(self) -> None:
        """In the main thread: have the kernel queue what has come, if nobody else does."""
        if self._stream.io_loop is self._kernel.io_loop:
            self._stream.flush(zmq.POLLIN)

    def close(self) -> None:
        """See no more."""
        self._notice = None
        if self._stream._recv_callback == self._take:
            self._stream._recv_callback = self._pass_on

    def _take(self, frames: Any) -> Any:
        try:
            self._look_at(frames)
        except Exception:  # noqa: BLE001, S110 - what is no message is for the kernel to complain about
            pass
        return self._pass_on(frames)

    def _look_at(self, frames: Any) -> None:
        """Signatures are checked; one that was only looked at is not taken for a repeated one later."""
        session = self._kernel.session
        _, parts = session.feed_identities(frames, copy=False)
        message = session.deserialize(parts, content=False, copy=False)
        if self._notice and message["header"]["msg_type"] == "comm_msg":
            content = session.unpack(message["content"])
            if content.get("comm_id") == self._comm_id:
                self._notice(content.get("data") or {})
