"""The bounded queue in front of the event store's thread."""

from __future__ import annotations

import threading

import pytest

from choline_jupyter.ledger.event_queue import EventQueue, Limits
from choline_jupyter.ledger.trouble import StoreError

LONG = 30.0  # a wait that only a mistake would let run out


def make_queue(queue: int = 100, batch: int = 10, linger: float = 0.0) -> EventQueue[int]:
    return EventQueue(Limits(queue, batch, linger))


def test_items_come_out_in_order_and_in_batches() -> None:
    queue = make_queue(batch=10)
    for number in range(7):
        assert queue.put(number, 4)
    assert [queue.take(), queue.take(), queue.take()] == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_full_queue_takes_nothing_until_something_is_done() -> None:
    queue = make_queue(queue=10)
    assert queue.put(1, 10)
    assert not queue.put(2, 1)
    assert queue.take() == [1]
    assert not queue.put(2, 1), "what is being stored is still in memory"
    queue.mark_done()
    assert queue.put(2, 1)
    assert queue.take() == [2]


def test_one_item_may_be_larger_than_the_queue() -> None:
    queue = make_queue(queue=10)
    assert queue.put(1, 1000)
    assert not queue.put(2, 1)
    assert queue.put(3, 1, force=True)


def test_room_is_announced_once() -> None:
    queue, calls = make_queue(queue=10), list[str]()
    queue.call_when_room(lambda: calls.append("at once"))
    queue.put(1, 10)
    queue.call_when_room(lambda: calls.append("later"))
    assert calls == ["at once"]
    queue.take()
    queue.mark_done()
    queue.mark_done()
    assert calls == ["at once", "later"]


def test_closing_announces_room_too() -> None:
    queue, calls = make_queue(queue=10), list[str]()
    queue.put(1, 10)
    queue.call_when_room(lambda: calls.append("closed"))
    queue.close()
    assert calls == ["closed"]


def test_a_closed_queue_gives_what_it_has() -> None:
    queue = make_queue(batch=1)
    queue.put(1, 1)
    queue.put(2, 1)
    queue.close()
    assert [queue.take(), queue.take(), queue.take()] == [[1], [2], []]
    with pytest.raises(StoreError, match="closed"):
        queue.put(3, 1)


@pytest.mark.parametrize("reason", ["a full batch", "drain", "close"])
def test_a_lingering_taker_is_woken(reason: str) -> None:
    queue = make_queue(batch=10, linger=LONG)
    taken: list[list[int]] = []
    taker = threading.Thread(target=lambda: taken.append(queue.take()))
    taker.start()
    queue.put(1, 1)
    if reason == "a full batch":
        queue.put(2, 10)
    elif reason == "drain":
        assert not queue.drain(0)
    else:
        queue.close()
    taker.join(LONG / 2)
    assert not taker.is_alive()
    assert taken[0][0] == 1


def test_draining_waits_for_what_was_put_before() -> None:
    queue = make_queue()
    assert queue.drain(0), "nothing was put"
    queue.put(1, 1)
    assert not queue.drain(0)
    queue.take()
    queue.put(2, 1)
    queue.mark_done()
    assert not queue.drain(0)
    queue.take()
    queue.mark_done()
    assert queue.drain(0)


def test_a_pause_ends_when_the_queue_is_closed() -> None:
    queue = make_queue()
    assert queue.wait_before_retry(0)
    queue.close()
    assert not queue.wait_before_retry(LONG)
