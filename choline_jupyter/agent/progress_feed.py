"""The progress feed: what a job prints of its epochs, steps and losses becomes PROGRESS events, at most one a second.

Made by `agent.training_feed`, whose thread calls `collect`; `hear` is called by whatever appends output, in its own thread,
and costs no more than a place in a row. Promise: printing never waits for it; where more is printed than can be read, the
oldest is passed over.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, Union

from choline_jupyter.wire.training_output import OutputReader, Point

PAUSE = 1.0  # seconds between two events
_ROOM = 1 << 16  # characters that wait
_MOST = 20  # points in an event


class ProgressFeed:
    """One job's at a time. `fileno` is readable when there is something to collect."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._waiting: deque[tuple[str, Union[str, bytes], float]] = deque()
        self._size = 0
        self._has_gap = False
        self._readers: dict[str, OutputReader] = {}
        self._due = 0.0
        self._out, self._in = os.pipe()
        for end in (self._out, self._in):
            os.set_blocking(end, False)

    def fileno(self) -> int:
        """To wait for."""
        return self._out

    def begin(self) -> None:
        """Another job: what the last one has printed is nothing to it."""
        with self._turn:
            self._waiting.clear()
            self._size, self._readers, self._due = 0, {}, 0.0

    def hear(self, stream: str, text: Union[str, bytes]) -> None:
        """A piece of output: text, or with an empty `stream` the content of a stream message."""
        with self._turn:
            if not self._waiting:
                with suppress(OSError):
                    os.write(self._in, b"!")
            self._waiting.append((stream, text, time.time()))
            self._size += len(text)
            while self._size > _ROOM:
                self._size -= len(self._waiting.popleft()[1])
                self._has_gap = True

    def find_pause(self) -> float:
        """Seconds until something may be collected."""
        return max(0.0, self._due - time.monotonic())

    def collect(self) -> list[list[Any]]:
        """The points that were printed since the last time, thinned; [step, total, epoch, epochs, metrics, time]."""
        with suppress(OSError):
            os.read(self._out, 1 << 16)
        with self._turn:
            waiting, self._waiting, self._size = list(self._waiting), deque(), 0
            if self._has_gap:  # a line that was cut off does not go on
                self._readers, self._has_gap = {}, False
        found: list[list[Any]] = []
        for stream, text, at in waiting:
            name, piece = (stream, str(text)) if stream else _read(text)
            reader = self._readers.setdefault(name, OutputReader())
            found += [_tell(point, at) for point in reader.feed(piece)]
        if found:
            self._due = time.monotonic() + PAUSE
        return _thin(found)

    def close(self) -> list[list[Any]]:
        """The job has ended: what its last lines tell, also those without an end."""
        found = self.collect()
        found += [_tell(point, time.time()) for reader in self._readers.values() for point in reader.close()]
        return _thin(found)


def _read(message: Union[str, bytes]) -> tuple[str, str]:
    content = json.loads(message)
    return str(content.get("name")), str(content.get("text", ""))


def _tell(point: Point, at: float) -> list[Any]:
    metrics = {name: value if math.isfinite(value) else repr(value) for name, value in point.metrics.items()}
    return [point.step, point.total, point.epoch, point.epochs, metrics, at]


def _thin(points: list[list[Any]]) -> list[list[Any]]:
    """At most so many, the last one among them."""
    count = len(points)
    if count <= _MOST:
        return points
    return [points[place * (count - 1) // (_MOST - 1)] for place in range(_MOST)]
