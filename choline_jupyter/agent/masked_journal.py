"""The journal of a rank whose jobs have secrets: their values are hidden before anything is written.

Made by `agent.kernel.application` and `agent.script`. Without secrets it is the plain journal. Promise: no value of the mask
is in what is written as text, also when a program writes it in pieces; files and variables are no text (see
`agent.kernel.results`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Callable, NamedTuple

from choline_jupyter.agent.journal import JournalWriter
from choline_jupyter.model.event import Kind
from choline_jupyter.wire.mask import Mask, StreamMask
from choline_jupyter.wire.record import Buffer


class _Stream(NamedTuple):
    """One stream of one job; `head` are the parts of its messages in front of the content."""

    head: Sequence[Buffer]
    job: str
    attempt: int
    name: str
    mask: StreamMask


class MaskedJournal(JournalWriter):
    """Appends in the order of the calls, as the plain one does; a lock of its own keeps a stream's pieces in order."""

    def __init__(self, directory: Path, rank: int, ring: Callable[[], None] = lambda: None) -> None:
        super().__init__(directory, rank, ring)
        self.mask = Mask()
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._order = threading.RLock()

    def append(self, kind: Kind, parts: Sequence[Buffer], job: str = "", attempt: int = 0) -> int:
        """Write one record and return its seq (of text that is held back as yet the last one's); 0 when it was dropped."""
        if self.mask.is_empty:
            return super().append(kind, parts, job, attempt)
        with self._order:
            if kind is Kind.STREAM:
                return self._append_text(parts, job, attempt)
            self._release(job if kind is Kind.STATE else "")
            return super().append(kind, self._hide(kind, parts), job, attempt)

    def _append_text(self, parts: Sequence[Buffer], job: str, attempt: int) -> int:
        content = json.loads(bytes(parts[3]))
        name, text = str(content["name"]), str(content["text"])
        known = self._streams.get((job, name))
        stream = _Stream(parts[:3], job, attempt, name, known.mask if known else StreamMask(self.mask))
        self._streams[job, name] = stream
        return self._write_text(stream, stream.mask.feed(text))

    def _write_text(self, stream: _Stream, text: str) -> int:
        if not text:
            return max(self.last_seq, 1)
        content = json.dumps({"name": stream.name, "text": text}).encode()
        return super().append(Kind.STREAM, [*stream.head, content], stream.job, stream.attempt)

    def _release(self, ended: str) -> None:
        """What was held back of any stream stands before what comes now; of an ended job nothing more will come."""
        for key, stream in list(self._streams.items()):
            is_over = bool(ended) and stream.job == ended
            self._write_text(stream, stream.mask.end() if is_over else stream.mask.flush())
            if is_over:
                del self._streams[key]

    def _hide(self, kind: Kind, parts: Sequence[Buffer]) -> list[Buffer]:
        """Metadata and content; the paths of files are as they are."""
        if kind is Kind.ARTIFACT and json.loads(bytes(parts[3])).get("artifact") != "value":
            return list(parts)
        return [*parts[:2], *map(self.mask.hide_in_json, parts[2:4]), *parts[4:]]
