"""What is typed into a script, until the script reads it.

Owned by `agent.script`, in whose poll it takes part. Promises: the script host never waits for a script that does not read; lines
arrive in their order, and one that comes again after a cut is not typed twice.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO, Any, Optional

_WRITE = 1 << 16


class ScriptInput:
    """No thread: `write` is called when the pipe has room. What is not read yet is in memory."""

    def __init__(self) -> None:
        self._lines: dict[int, dict[str, Any]] = {}  # those before which one is missing
        self._taken = 0  # the number of the last line in `_waiting`
        self._waiting = bytearray()
        self._is_complete = self._is_over = False
        self._pipe: Optional[IO[bytes]] = None

    def take(self, line: dict[str, Any]) -> None:
        """A line, or the end, as it was sent."""
        if self._is_over:
            return
        self._lines[int(line["seq"])] = line
        self._lines = {number: line for number, line in self._lines.items() if number > self._taken}
        while self._taken + 1 in self._lines:
            self._taken += 1
            told = self._lines.pop(self._taken)
            self._waiting += told["value"].encode("utf-8", "surrogateescape")
            self._is_complete = self._is_complete or bool(told.get("eof"))
        self.write()

    def open(self, pipe: IO[bytes]) -> None:
        """The script has begun, and this is its standard input."""
        os.set_blocking(pipe.fileno(), False)
        self._pipe = pipe
        self.write()

    def fileno(self) -> int:
        """What to poll for room; -1 where nothing waits for any."""
        return self._pipe.fileno() if self._pipe and self._waiting else -1

    def write(self) -> None:
        """As much as there is room for; behind the end the pipe is closed."""
        if not self._pipe:  # it has not begun, or reads no more
            return
        try:
            while self._waiting:
                del self._waiting[: os.write(self._pipe.fileno(), self._waiting[:_WRITE])]
        except BlockingIOError:
            return
        except OSError:
            self._is_complete = True
        if self._is_complete:
            self._close(self._pipe)

    def _close(self, pipe: IO[bytes]) -> None:
        with suppress(OSError):
            pipe.close()
        self._waiting.clear()
        self._pipe, self._is_over = None, True
