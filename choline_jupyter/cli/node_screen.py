"""What several nodes put out, in one stream, each line with its node before it.

Filled in the engine's thread, written by the command's main thread (`cli.nodes`), so a terminal that is slow delays nobody.
"""

from __future__ import annotations

import queue
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.session.report import render_text

if TYPE_CHECKING:
    from choline_jupyter.session.nodes.node import Node

_SLICE = 0.2  # seconds; signals are heard in between
_NOTICES = {
    "preparing": "{stage} ...",
    "notice": "{stage}",
    "moved": "{wanted} cannot be made on that machine; the script runs in {directory}",
}


class NodeScreen:
    """`show` and `say` may be called by any thread, `write_all` by one."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._partial: dict[tuple[int, str], str] = {}

    def show(self, node: Node, event: Event) -> None:
        """Whole lines of what a node puts out; the last one may have no end."""
        if event.kind is Kind.STATE:
            self._tell(node, event)
            return
        text = render_text(event)
        is_error = event.kind in (Kind.ERROR, Kind.GAP)
        name = "stderr" if is_error or (text and event.read_content().get("name") == "stderr") else "stdout"
        *lines, rest = (self._partial.pop((node.place, name), "") + text).split("\n")
        for line in lines:
            self._queue.put((name, f"[node {node.place}] {line}\n"))
        if rest:
            self._partial[node.place, name] = rest

    def say(self, sentence: str) -> None:
        """A notice of ours."""
        self._flush()
        self._queue.put(("stderr", f"choline: {sentence}{'' if sentence.endswith(('.', chr(10))) else '.'}\n"))

    def close(self) -> None:
        """Nothing more comes."""
        self._flush()
        self._queue.put(None)

    def write_all(self) -> None:
        """Write what comes, until `close`."""
        while True:
            with suppress(queue.Empty):
                item = self._queue.get(timeout=_SLICE)
                if item is None:
                    return
                self._write(*item)

    def _write(self, name: str, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone: the script goes on to be ended in order
            stream = sys.stderr if name == "stderr" else sys.stdout
            stream.write(text)
            stream.flush()

    def _tell(self, node: Node, event: Event) -> None:
        fact = event.read_content()
        form = _NOTICES.get(str(fact.get("state")))
        if form:
            self.say(f"[node {node.place}] {form.format(**fact)}")

    def _flush(self) -> None:
        partial, self._partial = self._partial, {}
        for (place, name), line in partial.items():
            self._queue.put((name, f"[node {place}] {line}\n"))
