"""One batch in one transaction, while other processes clean up."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.ledger.blob_folder import BlobFolder
from choline_jupyter.ledger.database import Database
from choline_jupyter.ledger.event_batch import BLOB_SIZE, Entry, Gap, Item, Saving, save_blobs, write_batch
from choline_jupyter.ledger.event_reader import EventReader
from choline_jupyter.ledger.event_schema import SCHEMA
from choline_jupyter.ledger.trouble import StoreError
from tests.ledger.samples import SERIES, make_record


def make_entry(seq: int, size: int = 10) -> Entry:
    return Entry(SERIES, seq, "j-one", 1, 1, 0.0, make_record(seq, content=b"%06d" % seq + b"x" * size))


def test_a_blob_swept_before_its_row_is_written_is_restored(tmp_path: Path) -> None:
    database, blobs = Database(tmp_path / "events.db", SCHEMA), BlobFolder(tmp_path / "blobs")
    batch = [make_entry(1, BLOB_SIZE), make_entry(2)]
    digests = save_blobs(blobs, batch)
    assert len(digests) == 1
    blobs.sweep(set())  # what another process does that finds no row for it
    assert write_batch(database, blobs, digests, batch) == {SERIES: 2}
    events = list(EventReader(database, blobs).read_series(SERIES, 0))
    assert [len(event.content) for event in events] == [BLOB_SIZE + 6, 16]
    database.close()


def test_a_batch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database, blobs = Database(tmp_path / "events.db", SCHEMA), BlobFolder(tmp_path / "blobs")
    batch: list[Item] = [make_entry(1), Saving("INSERT INTO nowhere VALUES (?)", (1,))]
    with pytest.raises(StoreError):
        write_batch(database, blobs, {}, batch)
    assert EventReader(database, blobs).find_contiguous(SERIES.session) == {}
    assert write_batch(database, blobs, {}, batch[:1]) == {SERIES: 1}
    database.close()


def test_gaps_that_overlap_are_passed_together(tmp_path: Path) -> None:
    database, blobs = Database(tmp_path / "events.db", SCHEMA), BlobFolder(tmp_path / "blobs")
    gaps = [Gap(SERIES, 2, 4), Gap(SERIES, 2, 3), Gap(SERIES, 3, 6), Gap(SERIES, 9, 9)]
    assert write_batch(database, blobs, {}, [make_entry(8), *gaps]) == {SERIES: 0}
    assert write_batch(database, blobs, {}, [make_entry(1)]) == {SERIES: 6}
    assert write_batch(database, blobs, {}, [make_entry(7)]) == {SERIES: 9}
    assert write_batch(database, blobs, {}, [make_entry(4), make_entry(1)]) == {SERIES: 9}
    events = EventReader(database, blobs).read_series(SERIES, 0)
    assert [event.seq for event in events] == [1, 4, 7, 8]
    database.close()
