"""The mask over secret values: where one stands in what a job puts out, `***` stands instead.

Used by the rank before anything is written (`agent.masked_journal`) and by the client before anything is stored
(`session.follower`). A value is looked for as it is and in the forms in which output shows texts: as a string's
representation, in JSON, in HTML, in an address; of a value of several lines each line is looked for, too. Values of fewer
than 4 characters are not: they would stand everywhere.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

from choline_jupyter.wire.record import Buffer

SHORTEST = 4
STARS = "***"


class Mask:
    """Knows values for good: what a cell has kept of one may be printed by a later cell."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern = re.compile(r"(?!)")
        self.add(values)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self._forms

    def add(self, values: Iterable[str]) -> None:
        """Look for these, too."""
        new = {form for value in values for form in _list_forms(value)} - self._forms
        if new:
            forms = self._forms | new
            longest_first = sorted(forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("(?=(%s))" % "|".join(map(re.escape, longest_first)))
            self._forms = forms  # last: another thread may be looking

    def find(self, text: str) -> list[tuple[int, int]]:
        """Where in a text values stand: parts that do not touch, in order. Values may overlap one another."""
        if not any(form in text for form in self._forms):
            return []
        found: list[tuple[int, int]] = []
        for match in self._pattern.finditer(text):
            start, end = match.span(1)
            if found and start <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], end))
            else:
                found.append((start, end))
        return found

    def hide(self, text: str) -> str:
        """The text with `***` for each value."""
        pieces, position = [], 0
        for start, end in self.find(text):
            pieces += [text[position:start], STARS]
            position = end
        return "".join(pieces) + text[position:]

    def measure_start(self, text: str) -> int:
        """How many characters at the end of a text are the start of a value, at most."""
        return max((_measure_start(form, text) for form in self._forms), default=0)

    def hide_in(self, content: Any) -> Any:
        """The same content (as JSON has it) with every text in it hidden."""
        if isinstance(content, str):
            return self.hide(content)
        if isinstance(content, dict):
            return {self.hide(key): self.hide_in(value) for key, value in content.items()}
        return [self.hide_in(part) for part in content] if isinstance(content, list) else content

    def hide_in_json(self, data: Buffer) -> Buffer:
        """Bytes of JSON with every text in it hidden; what is no JSON, and what holds no value, as it is."""
        try:
            content = json.loads(bytes(data))
        except ValueError:
            return data
        hidden = self.hide_in(content)
        return data if hidden == content else json.dumps(hidden, separators=(",", ":")).encode(errors="replace")

    def is_in(self, data: Buffer) -> bool:
        """Whether a value stands in bytes, as UTF-8; looked for piece by piece, as they may be many."""
        view, forms = memoryview(data).cast("B"), [form.encode(errors="replace") for form in self._forms]
        overlap = max(map(len, forms), default=1) - 1
        pieces = (bytes(view[at : at + _PIECE + overlap]) for at in range(0, len(view), _PIECE))
        return any(form in piece for piece in pieces for form in forms)


class StreamMask:
    """The mask over a stream that comes in pieces: the end of one is held back while it may be the start of a value."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._tail = ""
        self._told = 0  # how many characters of the tail the output shows already,
        self._is_starred = False  # as stars

    def feed(self, text: str) -> str:
        """What may be shown now."""
        whole = self._tail + text
        cut = len(whole) - self._mask.measure_start(whole)
        pieces, position, is_starred = [], self._told, self._is_starred
        for start, end in self._mask.find(whole):
            pieces.append(whole[position:start])
            if not (self._is_starred and start < self._told):
                pieces.append(STARS)
            if end >= position:
                position, is_starred = end, True
        pieces.append(whole[position:cut])
        self._tail = whole[cut:]
        self._told = max(position - cut, 0)
        self._is_starred = is_starred and self._told > 0
        return "".join(pieces)

    def flush(self) -> str:
        """What was held back, because something else is to be shown behind it; a value that goes on is known for one.

        As much as tells little about a value is shown as it is, more of it as `***`.
        """
        held = self._tail[self._told :]
        if not held or self._is_starred:
            return ""
        self._told, self._is_starred = len(self._tail), len(self._tail) >= SHORTEST
        return STARS if self._is_starred else held

    def end(self) -> str:
        """What was held back, because nothing more comes: it was not a value."""
        held = self._tail[self._told :]
        self._tail, self._told, self._is_starred = "", 0, False
        return held


_PIECE = 1 << 20
_LINE = 8


def _measure_start(form: str, text: str) -> int:
    """How many characters at the end of a text begin this form, but are not all of it."""
    sizes = range(min(len(form) - 1, len(text)), 0, -1)
    return next((size for size in sizes if form[size - 1] == text[-1] and text.endswith(form[:size])), 0)


def _list_forms(value: str) -> set[str]:
    """The value and its longer lines, each in every form that output may show it in."""
    texts = {value, *(line for line in value.splitlines() if len(line) >= _LINE)}
    forms = set()
    for text in texts:
        forms |= {text, text.strip(), repr(text)[1:-1], json.dumps(text)[1:-1]}
        forms |= {json.dumps(text, ensure_ascii=False)[1:-1], html.escape(text), html.escape(text, quote=False)}
        data = text.encode(errors="surrogateescape")
        forms |= {quote(data), quote(data, safe=""), quote_plus(data)}
    return {form for form in forms if len(form) >= SHORTEST}
