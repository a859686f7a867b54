r"""Terminal text from a machine that is not the user's own, reduced to colours and line control.

Called by `trust` for streams, tracebacks and plain text. Promise: of all control characters only backspace, tab,
newline and carriage return come through, and of all escape sequences only colours (`ESC[...m`), clear line (`ESC[K`)
and cursor up (`ESC[A`, which progress bars use); titles, clipboard writes, hyperlinks, modes, queries and their 8-bit
forms are gone. However a text is cut into chunks, the result is the same.

Sequences as in ECMA-48 (5.3, 5.4, 5.6), read leniently: `ESC [` with anything up to its final byte; `ESC ]`, `ESC P`,
`ESC X`, `ESC ^` and `ESC _` with a string up to the next control character. Real terminals swallow an unfinished string
for ever; here the line's end ends it, so that broken output costs a line at most.
"""

from __future__ import annotations

import re

_PARAMETERS = 64  # characters of a colour's parameters; two full RGB colours with attributes need some 45

# What a text is searched for first: most have nothing of it.
_SUSPECT = re.compile("[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_STRING = "[^\x00-\x08\x0a-\x1f\x7f-\x9f]*"
_TOKEN = re.compile(
    rf"""
      (?P<allowed> \x1b\[ (?: [0-9;:]{{0,{_PARAMETERS}}} m | [0-2]? K | [0-9]{{0,3}} A ) )
    | (?P<open> (?: \x1b\[ | \x9b ) [\ -?]* \Z  |  \x1b [\ -/]* \Z )
    | (?P<string> (?: \x1b[\]PX^_] | [\x90\x98\x9d-\x9f] ) (?: {_STRING} ) \Z )
    | (?: \x1b\[ | \x9b ) [\ -?]* [@-~]?
    | (?: \x1b[\]PX^_] | [\x90\x98\x9d-\x9f] ) {_STRING}
    | \x1b [\ -/]* [0-~]?
    | (?P<surrogate> [\ud800-\udfff] )
    | [\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]
    """,
    re.VERBOSE,
)
_STRING_REST = re.compile(_STRING)


class Sanitiser:
    """One stream's text, chunk by chunk; remembers a sequence that a chunk's end cut in two."""

    def __init__(self) -> None:
        self._open = ""
        self._in_string = False

    def feed(self, chunk: str) -> str:
        """The chunk's text, without an unfinished sequence at its end: that waits for the next chunk."""
        if not self._open and not self._in_string and not _SUSPECT.search(chunk):
            return chunk
        text = self._open + chunk
        start = self._skip_string(text)
        self._open = ""
        return _TOKEN.sub(self._replace, text[start:])

    def _skip_string(self, text: str) -> int:
        if not self._in_string:
            return 0
        match = _STRING_REST.match(text)
        end = match.end() if match else 0
        self._in_string = end == len(text)
        return end

    def _replace(self, match: re.Match[str]) -> str:
        if match["allowed"]:
            return match[0]
        if match["surrogate"]:
            return "\ufffd"  # half a character: no encoder would take it
        if match["open"]:
            self._open = match[0][: _PARAMETERS + 4]  # longer ones are dropped in any case
        self._in_string = match["string"] is not None
        return ""


def sanitise(text: str) -> str:
    """A whole text, sanitised; an unfinished sequence at its end is dropped."""
    return Sanitiser().feed(text)
