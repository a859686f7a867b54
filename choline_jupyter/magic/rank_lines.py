"""What other ranks put out, compared with rank 0's: what says the same is folded, what differs is shown with its ranks.

Used by `magic.rank_output`, one per job; in the thread that shows. Each rank's pieces stay in their order. A piece that
rank 0 has not put out yet waits a moment for it, and for other ranks that say the same.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from choline_jupyter.model.event import Event

PATIENCE = 0.5
_WINDOW = 5000  # pieces of rank 0's that a piece is looked for in
_KEPT = 64 << 10  # characters of one rank's text for the tabs
_NUMBERS = re.compile(r"[\d.:,?/]+|[█▏▎▍▌▋▊▉#]+")


class Piece(NamedTuple):
    """A line of a stream, or a display; `key` says whether two are the same."""

    name: str
    text: str
    key: str
    event: Event


@dataclass
class _Rank:
    partial: dict[str, tuple[str, Event]] = field(default_factory=dict)
    waiting: deque[tuple[float, Piece]] = field(default_factory=deque)
    cursor: int = 0
    folded: int = 0
    shown: int = 0
    kept: list[str] = field(default_factory=list)
    size: int = 0


class RankLines:
    """`add` what comes, then show what `take` gives: pieces with the ranks that have put them out."""

    def __init__(self) -> None:
        self._reference: list[str] = []
        self._partial: dict[str, str] = {}
        self._ranks: dict[int, _Rank] = {}

    @property
    def is_waiting(self) -> bool:
        return any(rank.waiting for rank in self._ranks.values())

    def add_reference(self, name: str, text: str) -> None:
        """Text of rank 0, which is shown already."""
        *lines, self._partial[name] = (self._partial.get(name, "") + text).split("\n")
        self._reference += [_make_key(name, line) for line in lines]

    def add_reference_key(self, key: str) -> None:
        """A display of rank 0."""
        self._reference.append(key)

    def add_text(self, event: Event, name: str, text: str) -> None:
        """Text of another rank."""
        rank = self._ranks.setdefault(event.series.rank, _Rank())
        earlier = rank.partial.get(name, ("", event))[0]
        *lines, rest = (earlier + text).split("\n")
        rank.partial[name] = (rest, event)
        for line in lines:
            self._put(rank, Piece(name, line, _make_key(name, line), event))

    def add_piece(self, event: Event, text: str, key: str) -> None:
        """A display or result of another rank."""
        self._put(self._ranks.setdefault(event.series.rank, _Rank()), Piece("", text, key, event))

    def take(self, is_end: bool = False) -> list[tuple[list[int], Piece]]:
        """What is to be shown now; at the end of a job all that is left."""
        if is_end:
            self._close_lines()
        found: list[tuple[list[int], Piece]] = []
        while True:
            self._fold()
            due = self._find_due(is_end)
            if due is None:
                return found
            found.append(self._pick(due))

    def describe(self) -> dict[str, str]:
        """By rank, its text, for a front end that has tabs."""
        return {str(number): "\n".join(rank.kept) for number, rank in sorted(self._ranks.items())}

    def list_folded(self) -> list[int]:
        """The ranks of which nothing had to be shown."""
        return [number for number, rank in sorted(self._ranks.items()) if rank.folded and not rank.shown]

    def _put(self, rank: _Rank, piece: Piece) -> None:
        rank.waiting.append((time.monotonic(), piece))
        if rank.size < _KEPT:
            rank.kept.append(_last_state(piece.text))
            rank.size += len(piece.text)

    def _close_lines(self) -> None:
        self._reference += [_make_key(name, rest) for name, rest in self._partial.items() if rest]
        self._partial.clear()
        for rank in self._ranks.values():
            for name, (rest, event) in rank.partial.items():
                if rest:
                    self._put(rank, Piece(name, rest, _make_key(name, rest), event))
            rank.partial.clear()

    def _fold(self) -> None:
        """Let go of what rank 0 has put out, too, in the same order."""
        for rank in self._ranks.values():
            while rank.waiting:
                end = min(len(self._reference), rank.cursor + _WINDOW)
                try:
                    place = self._reference.index(rank.waiting[0][1].key, rank.cursor, end)
                except ValueError:
                    break
                rank.cursor = place + 1
                rank.folded += 1
                rank.waiting.popleft()

    def _find_due(self, is_end: bool) -> int | None:
        """The rank whose next piece has waited longest, if that is long enough."""
        now = time.monotonic()
        heads = [(rank.waiting[0][0], number) for number, rank in self._ranks.items() if rank.waiting]
        since, number = min(heads, default=(now, None))
        return number if number is not None and (is_end or now - since >= PATIENCE) else None

    def _pick(self, number: int) -> tuple[list[int], Piece]:
        """Take a piece out, and the same piece of other ranks that are as far."""
        piece = self._ranks[number].waiting[0][1]
        same = [other for other, rank in self._ranks.items() if rank.waiting and rank.waiting[0][1].key == piece.key]
        for other in same:
            self._ranks[other].waiting.popleft()
            self._ranks[other].shown += 1
        return sorted(same), piece


def make_display_key(content: bytes) -> str:
    """Two displays are the same if their data are."""
    return hashlib.sha256(content).hexdigest()


def _make_key(name: str, line: str) -> str:
    """Progress bars (lines drawn over and over) are the same when they differ in numbers only."""
    if "\r" in line:
        return f"{name}\r{_NUMBERS.sub('#', _last_state(line))}"
    return f"{name}\n{line}"


def _last_state(line: str) -> str:
    """What is left to see of a line that was drawn over."""
    return next((part for part in reversed(line.split("\r")) if part.strip()), "")


def render_piece(ranks: str, piece: Piece) -> str:
    """A line with its ranks before it."""
    return f"[{ranks}] {_last_state(piece.text)}\n"
