"""A job's events as the messages that a front end would have got from a kernel, behind a given place, page by page.

Called by the routes in the reading thread, for cells that are filled in and for open jobs' logs. Promises: each message
once and in order; what a rented machine sent is filtered as it is in a cell that runs; a page is bounded, whatever the
job has put out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.model.session import Trust
from choline_jupyter.session.job_end import is_end
from choline_jupyter.session.outcome import explain_death
from choline_jupyter.session.trust import OutputFilter

if TYPE_CHECKING:
    from choline_jupyter.ledger.event_store import EventStore
    from choline_jupyter.model.job import JobRow

_TYPES = {
    Kind.STREAM: "stream",
    Kind.DISPLAY: "display_data",
    Kind.UPDATE: "update_display_data",
    Kind.CLEAR: "clear_output",
    Kind.RESULT: "execute_result",
    Kind.ERROR: "error",
}
_PAGE = 1 << 20  # bytes of content
_CURSOR = re.compile(r"(\d{1,9})\.(-?\d{1,6}):(\d{1,18})\Z")

Cursor = Mapping[Series, int]


def parse_cursor(text: str, session: str) -> dict[Series, int]:
    """`EPOCH.RANK:SEQ,...`, empty for the beginning; raises ValueError."""
    found: dict[Series, int] = {}
    for part in text.split(",") if text else ():
        match = _CURSOR.match(part)
        if not match:
            raise ValueError(f"{part[:40]!r} is no place in a job's output")
        epoch, rank, seq = map(int, match.groups())
        found[Series(session, epoch, rank)] = seq
    return found


def render_cursor(cursor: Cursor) -> str:
    """The reverse of `parse_cursor`."""
    parts = sorted((series.epoch, series.rank, seq) for series, seq in cursor.items())
    return ",".join(f"{epoch}.{rank}:{seq}" for epoch, rank, seq in parts)


def read_page(store: EventStore, row: JobRow, trust: Trust, after: str) -> dict[str, Any]:
    """The messages behind `after`, the place behind them, and whether there are more already. Raises ValueError."""
    cursor = parse_cursor(after, row.session)
    filters: dict[int, OutputFilter] = {}
    page = _Page()
    for event in store.glance_at_job(row.id, dict(cursor)):
        if page.is_full:
            break
        cursor[event.series] = event.seq
        one = filters.setdefault(event.series.rank, OutputFilter(trust))
        for message in _translate(event, one):
            page.add(message, len(event.content))
    return {"messages": page.finish(), "after": render_cursor(cursor), "more": page.is_full}


class _Page:
    """Messages until there are enough. Text behind text of the same stream is one: thousands are slow to show."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._texts: list[str] = []  # of the last message, if it is a stream's
        self._size = 0

    @property
    def is_full(self) -> bool:
        return self._size >= _PAGE

    def add(self, message: dict[str, Any], size: int) -> None:
        self._size += size
        content, last = message["content"], self._messages[-1] if self._messages else None
        if not (last and last["type"] == message["type"] == "stream" and last["content"]["name"] == content["name"]):
            self._settle()
            self._messages.append(message)
        if message["type"] == "stream":
            self._texts.append(content["text"])

    def finish(self) -> list[dict[str, Any]]:
        self._settle()
        return self._messages

    def _settle(self) -> None:
        if self._texts:
            self._messages[-1]["content"]["text"] = "".join(self._texts)
            self._texts = []


def _translate(event: Event, one: OutputFilter) -> Iterator[dict[str, Any]]:
    """The messages of one event: none for what shows nothing."""
    try:
        content, metadata = event.read_content(), json.loads(event.metadata)
    except ValueError:
        yield _make_notice("choline: an output that cannot be read was left out here.\n")
        return
    if event.kind is Kind.GAP:
        yield _make_notice("choline: output is missing here; it was deleted to make room, or damaged.\n")
    elif event.kind is Kind.STATE and is_end(event) and content.get("state") == "died":
        failure = explain_death(content)
        sentences = [failure.message, failure.hint]
        yield _make("error", {"ename": type(failure).__name__, "evalue": failure.message, "traceback": sentences})
    elif event.kind in _TYPES:
        kept = one.filter_message(event.kind, content, metadata if isinstance(metadata, dict) else {})
        if kept:
            yield _make(_TYPES[event.kind], _check_stream(kept[0]) if event.kind is Kind.STREAM else kept[0])


def _check_stream(content: dict[str, Any]) -> dict[str, Any]:
    return {"name": str(content.get("name")), "text": str(content.get("text", ""))}


def _make(type: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"type": type, "content": content}


def _make_notice(text: str) -> dict[str, Any]:
    return _make("stream", {"name": "stderr", "text": text})
