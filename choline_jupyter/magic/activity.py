"""Activity of the notebook's own code: whether any of it can have run since a value was looked at last.

Made by `magic.luggage`, one per shell; asked in the main thread. Code runs in cells and in callbacks of comms (IPython tells
of both beforehand), in threads and in tasks of the event loop: while there is one that is not of the kernel's own packages,
it counts as running all the time. Not seen: a signal handler, a finalizer, a callback that a cell has left with the loop.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_KNOWN = ("ipykernel", "IPython", "tornado", "zmq", "jupyter_client", "choline_jupyter", "prompt_toolkit")
OUR_THREADS = "choline-"  # what their names begin with


class Activity:
    """Counts what the user's own code has done here; a `%%choline` cell is not it."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._epoch = 0
        shell.events.register("pre_execute", self._note)
        shell.events.register("pre_run_cell", self._note_cell)

    def find_epoch(self) -> int:
        """The same number as long as no code of the user's has run."""
        if any(map(_is_strange, threading.enumerate())) or _has_tasks():
            self._epoch += 1
        return self._epoch

    def _note(self) -> None:
        self._epoch += 1

    def _note_cell(self, info: Any) -> None:
        """The cell that has just been counted; IPython evaluates what stands in braces or behind a dollar on its line."""
        first, _, _ = str(getattr(info, "raw_cell", None) or "").partition("\n")
        if first.startswith("%%choline") and not {"{", "$"} & set(first):
            self._epoch -= 1


def _is_strange(thread: threading.Thread) -> bool:
    if thread is threading.main_thread() or thread.name.startswith(OUR_THREADS):
        return False
    target = getattr(thread, "_target", None)
    homes = {type(thread).__module__, getattr(target, "__module__", None) or ""}
    return not any(home.partition(".")[0] in _KNOWN for home in homes)


def _has_tasks() -> bool:
    """Whether the main thread's loop has a task that the kernel has not started for itself."""
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:  # no loop runs
        return False
    return any(not _is_known(task.get_coro()) for task in tasks)


def _is_known(coroutine: Any) -> bool:
    path = getattr(getattr(coroutine, "cr_code", None), "co_filename", "")
    return path.startswith(_list_folders())


def _list_folders() -> tuple[str, ...]:
    files = [getattr(sys.modules.get(name), "__file__", None) for name in _KNOWN]
    return tuple(file.rpartition(os.sep)[0] for file in files if file)
