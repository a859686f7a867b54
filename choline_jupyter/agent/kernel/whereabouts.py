"""Where a rank's main thread stands, as another thread sees it: in which call to other ranks it waits, at which line.

Used by `process_group`. Read from the stack when somebody asks, so that a cell pays nothing for it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any, Callable, Optional

_DISTRIBUTED = os.sep + os.path.join("torch", "distributed") + os.sep
_COLLECTIVES = "distributed_c10d.py"
_BACKWARD = "_engine_run_backward"  # with DDP or FSDP it waits for the others' gradients
_OURS, _MAKING = "_wait_for_all", "init_process_group"


class Whereabouts:
    """`namespace` gives the cell's own, by which its frame is known."""

    def __init__(self, namespace: Callable[[], Mapping[str, Any]]) -> None:
        self._namespace = namespace
        self._main = threading.main_thread().ident or 0
        self._last: tuple[Optional[FrameType], int, float] = (None, 0, 0.0)

    def forget(self) -> None:
        """The frame that was looked at last keeps its variables alive; let go of it."""
        self._last = (None, 0, 0.0)

    def look(self) -> dict[str, Any]:
        """`call`, `line` of the cell, and `for` how many seconds it has been seen there; empty while it computes."""
        frames = list(_walk(sys._current_frames().get(self._main)))
        call = _find_call(frames)
        if not call:
            self.forget()
            return {}
        frame, (last, step, since) = frames[0], self._last
        if frame is not last or (frame.f_lasti != step and call != _MAKING):
            since = time.monotonic()
            self._last = (frame, frame.f_lasti, since)
        return {"call": call, "line": self._find_line(frames), "for": round(time.monotonic() - since, 2)}

    def _find_line(self, frames: list[FrameType]) -> Optional[int]:
        own = self._namespace()
        lines = [frame.f_lineno for frame in frames if frame.f_code.co_name == "<module>" and frame.f_globals is own]
        return lines[-1] if lines else None


def _walk(frame: Optional[FrameType]) -> Iterator[FrameType]:
    """From the innermost outwards."""
    while frame:
        yield frame
        frame = frame.f_back


def _find_call(frames: list[FrameType]) -> str:
    """What the main thread waits in, by the name that its author knows."""
    if not frames:
        return ""
    inner = frames[0]
    if inner.f_code.co_name == _OURS:
        return _MAKING
    if inner.f_code.co_name == _BACKWARD:
        return "backward"
    if _DISTRIBUTED not in inner.f_code.co_filename:
        return ""
    calls = [frame.f_code.co_name for frame in frames if frame.f_code.co_filename.endswith(_COLLECTIVES)]
    public = [name for name in calls if not name.startswith("_")]
    return (public or [inner.f_code.co_name])[0]
