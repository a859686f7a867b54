"""The follower: each event once, in order, stored; what is lost is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.session.feed import WINDOW
from choline_jupyter.session.follower import Follower
from choline_jupyter.wire.mask import Mask
from choline_jupyter.wire.record import WireError, encode_record

SESSION = "s-one"
SERIES = Series(SESSION, 1, 0)


def make_record(seq: int, content: bytes = b"{}") -> bytes:
    return b"".join(encode_record(seq, Kind.STREAM, "j-one", 1, 0.0, [b"{}", b"{}", b"{}", content]))


class Listener:
    """A follower with a real store, and what it passes on and credits."""

    def __init__(self, folder: Path, ends: dict[int, int]) -> None:
        self.store = EventStore(folder)
        self.came: list[tuple[Event, int]] = []
        self.credited: list[tuple[int, int]] = []
        self.mask = Mask()
        self.follower = Follower(
            SESSION, self.store, ends, lambda event, size: self.came.append((event, size)),
            lambda rank, count: self.credited.append((rank, count)), mask=self.mask,
        )  # fmt: skip

    def take(self, *chunks: bytes, rank: int = 0) -> None:
        async def feed() -> None:
            for chunk in chunks:
                await self.follower.take(rank, 1, chunk)

        asyncio.run(feed())

    @property
    def seqs(self) -> list[tuple[Kind, int]]:
        return [(event.kind, event.seq) for event, _ in self.came]


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(tmp_path, {})
    yield made
    made.store.close()


def test_events_are_passed_on_and_stored(listener: Listener) -> None:
    data = make_record(1) + make_record(2)
    listener.take(data[:50], data[50:])
    assert listener.seqs == [(Kind.STREAM, 1), (Kind.STREAM, 2)]
    assert sum(size for _, size in listener.came) == len(data)
    assert listener.store.flush()
    assert listener.store.find_contiguous(SESSION) == {SERIES: 2}
    assert listener.follower.find_ends() == {0: 2}


def test_duplicates_are_dropped(listener: Listener) -> None:
    listener.take(make_record(1), make_record(1), make_record(2), make_record(1))
    assert listener.seqs == [(Kind.STREAM, 1), (Kind.STREAM, 2)]


def test_it_goes_on_from_where_the_store_ends(tmp_path: Path) -> None:
    listener = Listener(tmp_path, {0: 2})
    listener.take(make_record(2), make_record(3))
    assert listener.seqs == [(Kind.STREAM, 3)]
    listener.store.close()


def test_what_is_lost_is_told_before_what_follows_and_not_awaited_for_ever(listener: Listener) -> None:
    listener.take(make_record(1), make_record(5))
    assert listener.seqs == [(Kind.STREAM, 1), (Kind.GAP, 4), (Kind.STREAM, 5)]
    gap, size = listener.came[1]
    assert gap.read_content() == {"reason": "deleted", "count": 3}
    assert size == 0
    assert listener.store.flush()
    assert listener.store.find_contiguous(SESSION) == {SERIES: 5}


def test_ranks_are_apart(listener: Listener) -> None:
    listener.take(make_record(1), rank=0)
    listener.take(make_record(1), rank=3)
    assert [event.series.rank for event, _ in listener.came] == [0, 3]
    assert listener.follower.find_ends() == {0: 1, 3: 1}


def test_a_cut_record_begins_anew_on_the_next_channel(listener: Listener) -> None:
    data = make_record(1)
    listener.take(data[:-5])
    assert listener.follower.find_ends() == {}
    listener.take(data)
    assert listener.seqs == [(Kind.STREAM, 1)]


def test_a_damaged_record_is_refused(listener: Listener) -> None:
    data = bytearray(make_record(1))
    data[-1] ^= 1
    with pytest.raises(WireError):
        listener.take(bytes(data))
    assert listener.came == []


def test_a_record_larger_than_the_window_is_credited_while_it_comes(listener: Listener) -> None:
    """Otherwise the agent would wait for credit, and the client for the rest of the record."""
    data = make_record(1, b"x" * (2 * WINDOW))
    credit, sent, place = WINDOW, 0, 0
    while place < len(data):
        assert credit > 0, "the agent may send no more, and the record is not complete"
        chunk = data[place : place + (1 << 20)]
        place, sent = place + len(chunk), sent + len(chunk)
        before = sum(count for _, count in listener.credited)
        listener.take(chunk)
        credit += sum(count for _, count in listener.credited) - before - len(chunk)
    [(_, size)] = listener.came
    assert size + sum(count for _, count in listener.credited) == len(data)
    assert size >= 0


def test_credit_holds_over_what_comes_behind_a_large_record(listener: Listener) -> None:
    data = make_record(1, b"x" * (2 * WINDOW)) + make_record(2, b"y" * WINDOW) + make_record(3)
    step = 777_777
    listener.take(*(data[place : place + step] for place in range(0, len(data), step)))
    assert [seq for _, seq in listener.seqs] == [1, 2, 3]
    assert sum(size for _, size in listener.came) + sum(count for _, count in listener.credited) == len(data)


def test_a_secret_that_its_machine_has_not_hidden_is_neither_shown_nor_stored(listener: Listener) -> None:
    listener.mask.add(["very secret"])
    data = make_record(1, b'{"text": "a very secret b"}') + make_record(2, b'{"text": "c"}')
    listener.take(data)
    assert [event.read_content() for event, _ in listener.came] == [{"text": "a *** b"}, {"text": "c"}]
    assert sum(size for _, size in listener.came) == len(data)
    stored = list(listener.store.read_job("j-one"))
    assert [event.read_content() for event in stored] == [{"text": "a *** b"}, {"text": "c"}]
