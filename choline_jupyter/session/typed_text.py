"""What a script was given to read on its standard input, so that it can read it again on another machine.

Made by `session.live` for each session, filled by its `type_text`, read by `session.rebuilding`. In memory only: what was typed
in another process is not known here. Promise: a script reads its whole input again or does not go on.
"""

from __future__ import annotations

from typing import Any

_LARGEST = 64 << 20  # bytes
_END: dict[str, Any] = {"seq": 1, "value": "", "eof": True}


class TypedText:
    """`is_open`: somebody types here, and may go on."""

    def __init__(self) -> None:
        self.is_open = False
        self._lines: list[dict[str, Any]] = []
        self._size = 0

    def add(self, number: int, text: str, is_end: bool) -> dict[str, Any]:
        """A line, as it is told to the script's machine."""
        line = {"seq": number, "value": text, "eof": is_end}
        self._size += len(text)
        if self.lacks:
            self._lines.clear()
        else:
            self._lines.append(line)
        return line

    def list(self) -> list[dict[str, Any]]:
        """All lines; the end of the input where nobody here has typed or will."""
        return list(self._lines) if self._lines or self.is_open else [_END]

    @property
    def lacks(self) -> str:
        """A phrase for what is not here of it, empty where it is whole."""
        return "its input is larger than what is kept" if self._size > _LARGEST else ""
