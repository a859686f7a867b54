"""The output of a session of several ranks in one cell: rank 0 as if it were alone, the others where they differ.

Made by `magic.stage` around its screen; in the thread that shows. Every output of rank 0 passes at once. Other ranks'
text is shown with `[1-3]` before it, once for all ranks that say the same, and folded where rank 0 says it too; displays
likewise. A traceback that is the same on several ranks is shown once. At the end of a job one display holds what each
rank has said (`RANKS`), for front ends that show tabs, and as text for which ranks it was the same.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from choline_jupyter.magic.rank_lines import RankLines, make_display_key, render_piece
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.session.outcome import tell
from choline_jupyter.session.rank_text import explain_freed, group_errors, name_ranks, shorten_ranks
from choline_jupyter.session.telemetry_text import LONG, SHORT, has_gpu, read_telemetry, render_telemetry

if TYPE_CHECKING:
    from choline_jupyter.magic.screen import Screen

RANKS = "application/vnd.choline.ranks+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_HEADER = b'{"msg_type": "%s"}'


class _Job:
    def __init__(self) -> None:
        self.lines = RankLines()
        self.errors: list[Event] = []
        self.ranks: set[int] = set()
        self.first: Event | None = None
        self.telemetry: dict[int, dict[str, Any]] = {}


class RankOutput:
    """`is_many`: the session is known to have several ranks; else that shows with the first event of another than 0.

    `is_paid`: its machine costs money, and what a job took of it is said with what it cost; `is_here`: it is this machine.
    """

    def __init__(self, screen: Screen, is_many: bool, is_paid: bool = False, is_here: bool = True) -> None:
        self._screen, self._is_many = screen, is_many
        self._is_paid, self._is_here = is_paid, is_here
        self._jobs: dict[str, _Job] = {}

    def show(self, event: Event) -> None:
        """One output event."""
        if event.kind is Kind.METRIC:
            self._note_telemetry(event)
            return
        self._is_many = self._is_many or event.series.rank > 0
        if not self._is_many or event.series.rank < 0 or event.kind is Kind.COMM or not event.job:
            self._screen.show(event)
            return
        job = self._jobs.setdefault(event.job, _Job())
        job.first = job.first or event
        if event.kind is Kind.ERROR:
            job.errors.append(event)
        elif event.series.rank == 0:
            self._screen.show(event)
            _note_reference(job.lines, event)
        else:
            job.ranks.add(event.series.rank)
            self._take(job.lines, event)
        self._show_due(job)

    def tick(self) -> None:
        """Show what has waited for long enough."""
        for job in self._jobs.values():
            self._show_due(job)

    def forget(self, name: str) -> None:
        """A job is shown anew, from its first line."""
        self._jobs.pop(name, None)

    def end(self, name: str, reply: dict[str, Any]) -> None:
        """A job is over: what is left, its errors, and what the ranks have in common."""
        job = self._jobs.pop(name, None)
        if job is None:
            return
        self._show_due(job, is_end=True)
        self._show_common(job)
        self._show_errors(job, reply.get("ranks") or {})
        is_soon = has_gpu(job.telemetry) and not self._is_here
        told = render_telemetry(job.telemetry, self._is_many, SHORT if is_soon else LONG)
        if told and not self._is_paid:
            tell(told)

    def _note_telemetry(self, event: Event) -> None:
        fact = read_telemetry(event)
        if fact is not None:
            self._jobs.setdefault(event.job, _Job()).telemetry[event.series.rank] = fact

    def _take(self, lines: RankLines, event: Event) -> None:
        content = event.read_content()
        if event.kind is Kind.STREAM:
            lines.add_text(event, str(content.get("name")), str(content.get("text", "")))
        elif event.kind in (Kind.DISPLAY, Kind.RESULT):
            data = content.get("data", {})
            lines.add_piece(event, str(data.get("text/plain", "")), _find_key(data))

    def _show_due(self, job: _Job, is_end: bool = False) -> None:
        texts: dict[str, str] = {}
        for ranks, piece in job.lines.take(is_end):
            if piece.name:
                texts[piece.name] = texts.get(piece.name, "") + render_piece(shorten_ranks(ranks), piece)
                continue
            self._flush(piece.event, texts)
            self._show_display(shorten_ranks(ranks), piece.event)
        if job.first:
            self._flush(job.first, texts)

    def _flush(self, event: Event, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            self._write(event, name, text)
        texts.clear()

    def _write(self, event: Event, name: str, text: str) -> None:
        content = json.dumps({"name": name, "text": text}).encode()
        self._screen.show(_remake(event, Kind.STREAM, b"stream", content))

    def _show_display(self, ranks: str, event: Event) -> None:
        """A figure of another rank, or its result: under its ranks, and not in the place of rank 0's."""
        content = event.read_content()
        data = content.get("data", {})
        if event.kind is Kind.RESULT and set(data) == {"text/plain"}:
            self._write(event, "stdout", f"[{ranks}] Out: {data['text/plain']}\n")
            return
        self._write(event, "stdout", f"[{ranks}]\n")
        shown = {"data": data, "metadata": content.get("metadata", {}), "transient": content.get("transient") or {}}
        metadata = {**json.loads(event.metadata), "choline": {"rank": event.series.rank}}
        made = _remake(event, Kind.DISPLAY, b"display_data", json.dumps(shown).encode())
        self._screen.show(dataclasses.replace(made, metadata=json.dumps(metadata).encode(), buffers=event.buffers))

    def _show_common(self, job: _Job) -> None:
        folded = job.lines.list_folded()
        if not job.first or not job.ranks:
            return
        data: dict[str, Any] = {RANKS: {"job": job.first.job, "ranks": job.lines.describe()}}
        if folded:
            data["text/plain"] = f"[{shorten_ranks(folded)}: the same]"
        content = json.dumps({"data": data, "metadata": {}, "transient": {}}).encode()
        self._screen.show(_remake(job.first, Kind.DISPLAY, b"display_data", content))

    def _show_errors(self, job: _Job, ends: dict[str, Any]) -> None:
        """The cause first, as the cell's error; others that failed by themselves as text; those that were freed in a line."""
        freed = {int(rank) for rank, end in ends.items() if "aborted" in end or end.get("bereft")}
        if any(end.get("died") for end in ends.values()):
            job.errors = [event for event in job.errors if event.series.rank not in freed]
        causes = [event for event in job.errors if event.series.rank not in freed]
        groups = group_errors(causes or job.errors[:1])
        for group in groups[1:]:
            self._write(group[0], "stderr", f"{_head(group)}{_join(group[0])}\n")
        for line in explain_freed(ends):
            if job.first:
                self._write(job.first, "stderr", line)
        if groups:
            self._write(groups[0][0], "stderr", _head(groups[0]))
            self._screen.show(groups[0][0])


def _head(group: list[Event]) -> str:
    return f"choline: {name_ranks(event.series.rank for event in group)}:\n"


def _join(event: Event) -> str:
    return "\n".join(map(str, event.read_content().get("traceback", ())))


def _note_reference(lines: RankLines, event: Event) -> None:
    content = event.read_content()
    if event.kind is Kind.STREAM:
        lines.add_reference(str(content.get("name")), str(content.get("text", "")))
    elif event.kind in (Kind.DISPLAY, Kind.RESULT):
        lines.add_reference_key(_find_key(content.get("data", {})))


def _find_key(data: object) -> str:
    """What displays have in common that are the same; widgets have ids of their own on each rank, which say nothing."""
    if isinstance(data, dict):
        data = {mime: None if mime == _WIDGET else value for mime, value in data.items()}
    return make_display_key(json.dumps(data, sort_keys=True).encode())


def _remake(event: Event, kind: Kind, type_: bytes, content: bytes) -> Event:
    return dataclasses.replace(event, kind=kind, header=_HEADER % type_, content=content, metadata=b"{}", buffers=())
