"""The hook in a kernel's IOPub thread that appends each message to the journal instead of publishing it.

Installed by `application` in a stock ipykernel 6 or 7. Jupyter's IOPub loses what a slow subscriber does not take, and
all of it while no subscriber is there (docs/performance.md); a file does not.
"""

from __future__ import annotations

import ctypes
import json
import os
import threading
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

from choline_jupyter.agent.journal import JournalWriter
from choline_jupyter.agent.kernel.jobs import Jobs
from choline_jupyter.model.event import Kind

_DELIMITER = b"<IDS|MSG>"
_KINDS = {
    "stream": Kind.STREAM,
    "display_data": Kind.DISPLAY,
    "update_display_data": Kind.UPDATE,
    "clear_output": Kind.CLEAR,
    "execute_result": Kind.RESULT,
    "error": Kind.ERROR,
    "comm_open": Kind.COMM,
    "comm_msg": Kind.COMM,
    "comm_close": Kind.COMM,
}


class JournalFull(OSError):
    """Raised into a running cell when the disk that its output is kept on is full."""

    def __str__(self) -> str:
        return "No space left on the disk that keeps this session's output; free some and run the cell again"


class OutputHook:
    """Writes in the IOPub thread only, where no signal can interrupt a record half-way.

    What a forked child prints comes in through ipykernel's own pipe.
    """

    def __init__(self, journal: JournalWriter, jobs: Jobs) -> None:
        self._journal, self._jobs = journal, jobs
        self._pid = os.getpid()
        self.hear: Callable[[str, bytes], None] = lambda stream, message: None  # called with each stream message

    def install(self, thread: Any) -> None:
        """Take the place of `IOPubThread.send_multipart`.

        ipykernel's own schedules the sending once more when it is in its thread already, so that a flush returns before
        what it flushes has been sent, and a process that dies next takes it along. Here that is done only where it keeps
        the order: when something that another thread has published is still on its way.
        """
        send = thread.send_multipart
        waiting: deque[None] = deque()

        def append_in_turn(message: Sequence[Any]) -> None:
            waiting.popleft()
            self.append(message)

        def append_or_send(message: Sequence[Any], *args: Any, **kwargs: Any) -> None:
            if os.getpid() != self._pid:
                send(message, *args, **kwargs)
            elif threading.current_thread() is thread.thread and not waiting:
                self.append(message)
            else:
                waiting.append(None)
                thread.schedule(partial(append_in_turn, message))

        thread.send_multipart = append_or_send

    def append(self, message: Sequence[Any]) -> None:
        """Write one message [topic, delimiter, signature, header, parent, metadata, content, *buffers]."""
        start = message.index(_DELIMITER) + 2
        parts = [getattr(part, "buffer", part) for part in message[start:]]
        header, parent = bytes(parts[0]), bytes(parts[1])
        kind = _KINDS.get(json.loads(header)["msg_type"])
        if kind is not None:
            job, attempt = self._jobs.find(parent)
            self._append(kind, [header, parent, *parts[2:]], job, attempt)
            if kind is Kind.STREAM and job:
                self.hear("", bytes(parts[3]))
        elif b'"idle"' in bytes(parts[3]) and not self._jobs.see_idle(parent) and b'"comm_' in parent:
            self._append(Kind.STATE, [header, parent, *parts[2:]], "", 0)  # a widget's sender waits for it

    def _append(self, kind: Kind, parts: list[Any], job: str, attempt: int) -> None:
        was_full = self._journal.is_full
        if not self._journal.append(kind, parts, job, attempt) and not was_full:
            _raise_in_main_thread(JournalFull)


def _raise_in_main_thread(error: type[BaseException]) -> None:
    """Fail the running cell: going on would spend time and money on output nobody can ever see."""
    main = ctypes.c_ulong(threading.main_thread().ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(main, ctypes.py_object(error))
