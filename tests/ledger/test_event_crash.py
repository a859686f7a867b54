"""Writers of the event store killed in mid-work: every acknowledged event is there, whole and once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from choline_jupyter.ledger.event_store import FILE_NAME, EventStore
from choline_jupyter.model.event import Series
from choline_jupyter.wire.record import decode_record
from tests.ledger.samples import kill_and_read, make_record, start_program

# Two writers share each series: each has seqs that the other lacks, and some that both have. Some records are blobs.
WRITE = """
import sys, pathlib, time
from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Series
from choline_jupyter.wire.record import decode_record
from tests.ledger.samples import put
from tests.ledger.test_event_crash import content_of
store = EventStore(pathlib.Path(sys.argv[1]), lambda series, seq: print(series.rank, seq, flush=True))
side, first = int(sys.argv[2]), int(sys.argv[3])
for seq in range(first, 1_000_000):
    for rank in (0, 1):
        if seq % 3 in (side, 2):
            while not put(store, seq, Series("s-one", 1, rank), content=content_of(seq)):
                store.flush()
"""


def content_of(seq: int) -> bytes:
    return (b"%08d" % seq) * (40_000 if seq % 500 == 0 else 30)


def test_every_acknowledged_event_outlives_its_killed_writers(tmp_path: Path) -> None:
    acknowledged = {0: 0, 1: 0}
    first = 1
    for _ in range(3):
        writers = [start_program(WRITE, tmp_path, side, str(first)) for side in ("0", "1")]
        for writer in writers:
            for line in kill_and_read(writer, lines=6):
                rank, seq = map(int, line.split())
                acknowledged[rank] = max(acknowledged[rank], seq)
        first = check(tmp_path, acknowledged) + 1
    assert min(acknowledged.values()) > 100


def check(directory: Path, acknowledged: dict[int, int]) -> int:
    """All that was acknowledged is there; returns the seq from which on writers must go on."""
    store = EventStore(directory)
    assert store.notice == ""
    contiguous = store.find_contiguous("s-one")
    for rank, seq in acknowledged.items():
        series = Series("s-one", 1, rank)
        assert contiguous[series] >= seq
        events = [event for event in store.read_series(series) if event.seq <= contiguous[series]]
        assert [event.seq for event in events] == list(range(1, contiguous[series] + 1))
        assert all(event.content == content_of(event.seq) for event in events)
    store.close()
    connection = sqlite3.connect(directory / FILE_NAME)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return min(contiguous.values())


def test_the_stored_bytes_are_the_records(tmp_path: Path) -> None:
    store = EventStore(tmp_path)
    record = make_record(1)
    store.put(decode_record(Series("s-one", 1, 0), record), record)
    store.close()
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    assert connection.execute("SELECT record FROM event").fetchall() == [(record,)]
    connection.close()
