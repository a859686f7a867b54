"""A full disk at home: nothing hangs, nothing is acknowledged, and all goes on when there is room."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.ledger.event_batch import BLOB_SIZE
from choline_jupyter.ledger.event_queue import Limits
from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.ledger.ledger import Ledger
from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.model.event import Series
from tests.ledger.samples import SERIES, make_instance, put, seqs_of
from tests.small_disk import fill, mount_disk

pytestmark = pytest.mark.kernel_feature


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An empty disk of 2 MiB."""
    with mount_disk(tmp_path, 2) as disk:
        yield disk


@pytest.mark.parametrize("size", [10_000, BLOB_SIZE], ids=["records", "blobs"])
def test_the_event_store_waits_for_room(small_disk: Path, size: int) -> None:
    told: queue.Queue[str] = queue.Queue()
    stored: list[int] = []

    def note(series: Series, seq: int) -> None:
        stored.append(seq)

    store = EventStore(small_disk, note, told.put, limits=Limits(queue=1 << 20, batch=1 << 16, linger=0.001))
    put(store, 1)
    assert store.flush()
    filler = fill(small_disk)
    last = 2
    while put(store, last, content=b"%06d" % last + b"x" * size):  # bounded: refused in the end
        last += 1
    sentence = told.get(timeout=20)
    assert "is full" in sentence
    assert "recording goes on by itself" in sentence
    assert store.failure == sentence
    assert max(stored) < last - 1
    assert stored[-1] == store.find_contiguous("s-one")[SERIES]
    filler.unlink()
    assert told.get(timeout=20) == ""
    assert store.flush()
    assert stored[-1] == last - 1
    assert seqs_of(list(store.read_job("j-one"))) == list(range(1, last))
    assert store.close()


def test_closing_on_a_full_disk_does_not_hang(small_disk: Path) -> None:
    told: queue.Queue[str] = queue.Queue()
    store = EventStore(small_disk, on_failure=told.put)
    put(store, 1)
    assert store.flush()
    filler = fill(small_disk)
    for seq in range(2, 40):
        put(store, seq, content=b"x" * 100_000)
    assert "is full" in told.get(timeout=20)
    assert not store.close()
    filler.unlink()
    again = EventStore(small_disk)
    stored = again.find_contiguous("s-one")[SERIES]
    assert 1 <= stored < 39
    assert seqs_of(list(again.read_series(SERIES))) == list(range(1, stored + 1))
    again.close()


def test_a_full_disk_is_said_when_the_store_is_opened(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(StoreError, match="is full") as caught:
        EventStore(small_disk)
    assert "Free some space" in caught.value.hint


def test_the_ledger_refuses_and_stays_readable(small_disk: Path) -> None:
    ledger = Ledger(small_disk)
    ledger.record_intent(make_instance("i-first"))
    filler = fill(small_disk)
    recorded = 1

    def record_many() -> None:
        nonlocal recorded
        for number in range(10_000):
            ledger.record_intent(make_instance(f"i-{number}"))
            recorded += 1

    with pytest.raises(StoreError, match="is full"):
        record_many()
    assert len(ledger.list_instances()) == recorded
    filler.unlink()
    ledger.record_intent(make_instance("i-last"))
    assert len(ledger.list_instances()) == recorded + 1
    ledger.close()
