"""What other ranks say is shown once, folded where rank 0 says it too, and never lost."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.magic.rank_lines import RankLines
from choline_jupyter.model.event import Event, Kind, Series

LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=8)


def make_event(rank: int, text: str) -> Event:
    content = json.dumps({"name": "stdout", "text": text}).encode()
    return Event(Series("s-1", 1, rank), 1, Kind.STREAM, "j-1", 1, 0.0, content=content)


def say(lines: RankLines, rank: int, said: list[str]) -> None:
    text = "".join(f"{line}\n" for line in said)
    if rank == 0:
        lines.add_reference("stdout", text)
    else:
        lines.add_text(make_event(rank, text), "stdout", text)


@given(LINES, LINES, LINES)
def test_every_line_is_shown_or_folded(first: list[str], second: list[str], third: list[str]) -> None:
    lines = RankLines()
    for rank, said in enumerate([first, second, third]):
        say(lines, rank, said)
    shown = lines.take(is_end=True)
    for rank, said in ((1, second), (2, third)):
        own = Counter(piece.text for ranks, piece in shown if rank in ranks)
        assert not own - Counter(said)
        folded = Counter(said) - own
        assert not folded - Counter(first), "folded what rank 0 has not said"


@given(LINES)
def test_same_output_is_folded_whole(said: list[str]) -> None:
    lines = RankLines()
    for rank in (2, 1, 0):
        say(lines, rank, said)
    assert lines.take(is_end=True) == []
    assert lines.list_folded() == ([1, 2] if said else [])


@given(LINES, st.integers(1, 20))
def test_lines_that_come_in_pieces(said: list[str], size: int) -> None:
    lines, text = RankLines(), "".join(f"{line}x\n" for line in said)
    for start in range(0, len(text), size):
        lines.add_text(make_event(1, ""), "stdout", text[start : start + size])
    assert [piece.text for _, piece in lines.take(is_end=True)] == [f"{line}x" for line in said]


def test_line_waits_for_rank_0() -> None:
    lines = RankLines()
    say(lines, 1, ["late"])
    assert lines.take() == []
    say(lines, 0, ["late"])
    assert lines.take() == []
    assert not lines.is_waiting


def test_ranks_that_say_the_same_are_named_together() -> None:
    lines = RankLines()
    for rank in (3, 1, 2):
        say(lines, rank, ["odd" if rank % 2 else "even"])
    assert sorted((ranks, piece.text) for ranks, piece in lines.take(is_end=True)) == [([1, 3], "odd"), ([2], "even")]
