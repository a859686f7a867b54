"""The feed: in order, nothing lost, paid for in batches."""

from __future__ import annotations

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.session.feed import WINDOW, Feed

BATCH = 1 << 18


def make_event(seq: int, rank: int = 0) -> Event:
    return Event(Series("s-1", 1, rank), seq, Kind.STREAM, "j-1", 1, 0.0)


class Till:
    """What was credited, by rank."""

    def __init__(self) -> None:
        self.paid: list[tuple[int, int]] = []
        self.feed = Feed(lambda rank, count: self.paid.append((rank, count)))


def test_a_look_takes_nothing_out() -> None:
    till = Till()
    till.feed.put(make_event(1), BATCH)
    till.feed.put(make_event(2), BATCH)
    assert [till.feed.peek() for _ in range(3)] == [make_event(1)] * 3
    assert till.paid == []
    assert till.feed.get(0) == make_event(1)
    assert till.feed.get_at_once() == make_event(2)
    assert till.feed.peek() is None
    assert till.feed.get_at_once() is None
    assert till.feed.get(0) is None


def test_a_call_wakes_without_an_event_and_hides_none() -> None:
    till = Till()
    till.feed.wake()
    till.feed.put(make_event(1), 1)
    assert till.feed.get(0) is None
    assert till.feed.get(0) == make_event(1)
    till.feed.wake()
    till.feed.put(make_event(2), 1)
    assert till.feed.peek() == make_event(2)
    assert till.feed.get(0) == make_event(2)


def test_every_arrival_is_announced() -> None:
    arrivals: list[int] = []
    feed = Feed(lambda rank, count: None, lambda: arrivals.append(1))
    feed.put(make_event(1), 1)
    feed.wake()
    assert len(arrivals) == 2


def test_a_waiting_thread_gets_what_comes() -> None:
    till, came = Till(), []
    reader = threading.Thread(target=lambda: came.append(till.feed.get(60)))
    reader.start()
    till.feed.put(make_event(1), 1)
    reader.join(60)
    assert came == [make_event(1)]


sizes_by_rank = st.lists(st.tuples(st.integers(-1, 2), st.integers(0, WINDOW), st.booleans()), max_size=30)


@settings(deadline=None)
@given(sizes_by_rank)
def test_order_and_credit_hold_however_it_is_emptied(sizes: list[tuple[int, int, bool]]) -> None:
    till = Till()
    for seq, (rank, size, _) in enumerate(sizes, 1):
        till.feed.put(make_event(seq, rank), size)
    came: list[Event | None] = []
    for *_, looks_first in sizes:
        if looks_first:
            assert till.feed.peek()
        came.append(till.feed.get(0) if looks_first else till.feed.get_at_once())
    assert [event.seq for event in came if event] == list(range(1, len(sizes) + 1))
    for rank in range(-1, 3):
        total = sum(size for owner, size, _ in sizes if owner == rank)
        paid = sum(count for owner, count in till.paid if owner == rank)
        assert total - BATCH < paid <= total
    assert all(count >= BATCH for _, count in till.paid)
