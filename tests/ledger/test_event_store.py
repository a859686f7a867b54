"""The event store: what was put is read back; what is acknowledged is there."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import queue
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.ledger.event_batch import BLOB_SIZE
from choline_jupyter.ledger.event_queue import Limits
from choline_jupyter.ledger.event_store import FILE_NAME, EventStore
from choline_jupyter.ledger.rows import TEXT_LIMIT
from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.model.event import Kind, Series
from choline_jupyter.model.job import JobState
from choline_jupyter.wire.record import decode_record
from tests.ledger.samples import (
    SERIES,
    end_program,
    make_job,
    make_record,
    make_session,
    put,
    put_all,
    seqs_of,
    start_program,
)

OTHER = Series("s-one", 1, 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    store = EventStore(tmp_path)
    yield store
    store.close()


def test_events_come_back_as_they_were(store: EventStore) -> None:
    record = make_record(1, content=b'{"text": "\\u2603"}')
    event = decode_record(SERIES, record)
    assert store.put(event, record)
    assert list(store.read_job("j-one")) == [event]
    assert list(store.read_series(SERIES)) == [event]


def test_reading_sees_what_was_just_put(store: EventStore) -> None:
    for seq in range(1, 4):
        put(store, seq)
        assert seqs_of(list(store.read_job("j-one"))) == list(range(1, seq + 1))


def test_an_event_is_stored_once(store: EventStore) -> None:
    put(store, 1, content=b"first")
    put(store, 1, content=b"second")
    store.flush()
    put(store, 1, content=b"third")
    assert [event.content for event in store.read_job("j-one")] == [b"first"]


def test_a_job_is_replayed_as_it_was_shown(store: EventStore) -> None:
    for seq in range(1, 200):
        put(store, seq, SERIES)
        put(store, seq, OTHER)
    put(store, 200, SERIES, job="j-two")
    events = list(store.read_job("j-one"))
    assert [(event.series, event.seq) for event in events] == [
        (series, seq) for seq in range(1, 200) for series in (SERIES, OTHER)
    ]


def test_late_events_take_their_place_in_the_series(store: EventStore) -> None:
    for series, seq in [(SERIES, 1), (SERIES, 4), (OTHER, 1), (SERIES, 3), (OTHER, 2), (SERIES, 2)]:
        put(store, seq, series)
        store.flush()
    events = [(event.series.rank, event.seq) for event in store.read_job("j-one")]
    assert events == [(0, 1), (1, 1), (1, 2), (0, 2), (0, 3), (0, 4)]


def test_replay_goes_on_after_a_seq(store: EventStore) -> None:
    for seq in range(1, 6):
        put(store, seq, SERIES)
        put(store, seq, OTHER)
    events = store.read_job("j-one", after={SERIES: 4, OTHER: 3})
    assert [(event.series.rank, event.seq) for event in events] == [(1, 4), (0, 5), (1, 5)]
    assert seqs_of(list(store.read_series(SERIES, after=3))) == [4, 5]


def test_unknown_things_are_empty(store: EventStore) -> None:
    assert list(store.read_job("j-none")) == []
    assert list(store.read_series(SERIES)) == []
    assert store.find_contiguous("s-none") == {}
    assert store.find_job("j-none") is None
    assert store.find_session("none") is None


def test_nothing_behind_a_hole_is_acknowledged(tmp_path: Path) -> None:
    told: list[tuple[Series, int]] = []
    store = EventStore(tmp_path, lambda series, seq: told.append((series, seq)))
    for seq in (1, 2, 4, 5):
        put(store, seq)
    store.flush()
    assert store.find_contiguous("s-one") == {SERIES: 2}
    put(store, 3)
    store.close()
    assert [seq for _, seq in told] == sorted(seq for _, seq in told)
    assert told[-1] == (SERIES, 5)
    assert (SERIES, 4) not in told


def test_what_the_journal_lost_is_skipped(store: EventStore) -> None:
    put(store, 1)
    store.skip(SERIES, 2, 9)
    put(store, 10)
    assert store.find_contiguous("s-one") == {SERIES: 10}
    put(store, 5)  # another client had it
    assert seqs_of(list(store.read_series(SERIES))) == [1, 5, 10]


def test_another_store_fills_the_hole(tmp_path: Path, store: EventStore) -> None:
    told: queue.Queue[int] = queue.Queue()
    other = EventStore(tmp_path, lambda series, seq: told.put(seq))
    put(other, 2)
    assert told.get(timeout=10) == 0
    put_all(store, range(1, 2))
    put(other, 2)
    assert told.get(timeout=10) == 2
    other.close()


def test_large_records_become_files(tmp_path: Path, store: EventStore) -> None:
    content = os.urandom(BLOB_SIZE + 1)
    put(store, 1, content=content)
    put(store, 2, content=b"small")
    assert [event.content for event in store.read_job("j-one")] == [content, b"small"]
    assert (tmp_path / FILE_NAME).stat().st_size < BLOB_SIZE
    assert len(list((tmp_path / "blobs").glob("??/*"))) == 1


@pytest.mark.parametrize("damage", ["changed", "deleted"])
def test_a_lost_blob_is_a_visible_gap(tmp_path: Path, store: EventStore, damage: str) -> None:
    put(store, 1)
    put(store, 2, content=b"x" * BLOB_SIZE)
    put(store, 3)
    store.flush()
    (blob,) = (tmp_path / "blobs").glob("??/*")
    if damage == "deleted":
        blob.unlink()
    else:
        blob.write_bytes(b"something else")
    events = list(store.read_job("j-one"))
    assert seqs_of(events) == [1, 2, 3]
    assert [event.kind for event in events] == [Kind.STREAM, Kind.GAP, Kind.STREAM]
    content = events[1].read_content()
    assert (content["first"], content["last"]) == (2, 2)
    assert content["message"]


def test_a_damaged_record_is_a_visible_gap(tmp_path: Path, store: EventStore) -> None:
    put_all(store, range(1, 3))
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE event SET record = zeroblob(length(record)) WHERE seq = 1")
    connection.close()
    assert [event.kind for event in store.read_job("j-one")] == [Kind.GAP, Kind.STREAM]


@pytest.mark.parametrize("seq", [0, -1, 1 << 63])
def test_a_seq_that_no_journal_wrote_is_refused(store: EventStore, seq: int) -> None:
    event = decode_record(SERIES, make_record(1))
    with pytest.raises(ValueError, match="seq"):
        store.put(dataclasses.replace(event, seq=seq), b"")


def test_sessions_and_jobs_are_kept(store: EventStore) -> None:
    store.save_session(make_session())
    store.save_job(make_job())
    assert store.list_sessions() == [make_session()]
    assert store.list_jobs() == [make_job()]
    assert store.find_job("j-one") == make_job()
    assert store.find_session("training") == store.find_session("s-one") == make_session()


def test_a_name_belongs_to_its_newest_session(store: EventStore) -> None:
    for number in (2, 3, 1):
        store.save_session(make_session(f"s-{number}", created_at=number))
    found = store.find_session("training")
    assert found
    assert found.id == "s-3"


def test_an_older_epoch_changes_nothing(store: EventStore) -> None:
    store.save_session(make_session(epoch=2))
    store.save_session(make_session(epoch=1, name="old"))
    assert store.list_sessions() == [make_session(epoch=2)]


def test_a_finished_job_is_reopened_by_a_new_attempt_only(store: EventStore) -> None:
    def state() -> JobState:
        return store.list_jobs()[0].state

    store.save_job(make_job(state=JobState.RUNNING))
    store.save_job(make_job(state=JobState.LOST))
    store.save_job(make_job(state=JobState.RUNNING))
    assert state() is JobState.LOST
    store.save_job(make_job(state=JobState.DONE))
    assert state() is JobState.DONE
    store.save_job(make_job(state=JobState.RUNNING, attempt=2))
    assert state() is JobState.RUNNING
    store.save_job(make_job(state=JobState.DONE, attempt=1))
    assert state() is JobState.RUNNING


def test_jobs_are_listed_newest_first_and_by_what_is_wanted(store: EventStore) -> None:
    for number in range(5):
        job = make_job(f"j-{number}", created_at=number)
        store.save_job(dataclasses.replace(job, session=f"s-{number % 2}", notebook=f"{number % 3}.ipynb"))

    def ids(**wanted: str | int) -> list[str]:
        return [job.id for job in store.list_jobs(**wanted)]  # type: ignore[arg-type]

    assert ids() == ["j-4", "j-3", "j-2", "j-1", "j-0"]
    assert ids(limit=2) == ["j-4", "j-3"]
    assert ids(session="s-1") == ["j-3", "j-1"]
    assert ids(notebook="0.ipynb") == ["j-3", "j-0"]
    assert ids(notebook="0.ipynb", session="s-0") == ["j-0"]
    assert ids(notebook="none") == []


def test_a_job_is_found_by_the_start_of_its_id(store: EventStore) -> None:
    for name in ("j-abc", "j-abd", "j-ab%", "j-a"):
        store.save_job(make_job(name))
    assert [job and job.id for job in map(store.find_job, ("j-abd", "j-ab%", "j-a"))] == ["j-abd", "j-ab%", "j-a"]
    with pytest.raises(StoreError, match="j-ab%, j-abc, j-abd") as caught:
        store.find_job("j-ab")
    assert caught.value.hint


def test_long_code_is_cut_and_bad_rows_are_refused(store: EventStore) -> None:
    store.save_job(dataclasses.replace(make_job(), code="x" * (10 << 20), evalue="\ud800"))
    job = store.list_jobs()[0]
    assert (len(job.code), job.evalue) == (TEXT_LIMIT, "?")
    with pytest.raises(ValueError, match="cannot be stored"):
        store.save_job(dataclasses.replace(make_job(), evalue=None))  # type: ignore[arg-type]


def test_put_never_blocks_and_room_is_awaited(tmp_path: Path) -> None:
    store = EventStore(tmp_path, limits=Limits(queue=5000, batch=1000, linger=0.001))
    blocker = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    async def fill() -> None:
        seq = 1
        while put(store, seq):
            seq += 1
        room = asyncio.ensure_future(store.wait_for_room())
        await asyncio.sleep(0)
        assert not room.done()
        blocker.execute("COMMIT")
        await room
        assert put(store, seq)

    asyncio.run(fill())
    events = seqs_of(list(store.read_job("j-one")))
    assert events == list(range(1, len(events) + 1))
    assert len(events) > 5
    blocker.close()
    store.close()


def test_a_closed_store_takes_nothing(tmp_path: Path) -> None:
    store = EventStore(tmp_path)
    put(store, 1)
    assert store.close()
    with pytest.raises(StoreError, match="closed"):
        put(store, 2)
    asyncio.run(store.wait_for_room())
    assert store.close()


def test_a_reader_starts_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    store = EventStore(tmp_path)
    assert list(store.read_job("j-one")) == []
    assert threading.active_count() == before
    assert store.close()


def test_closing_ends_the_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    store = EventStore(tmp_path)
    put(store, 1)
    assert threading.active_count() == before + 1
    assert store.close()
    assert threading.active_count() == before


def test_a_callback_that_fails_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail(series: Series, seq: int) -> None:
        raise RuntimeError("the loop is closed")

    store = EventStore(tmp_path, fail)
    put_all(store, range(1, 3))
    put_all(store, range(3, 5))
    assert store.close()
    assert "the loop is closed" in caplog.text


def test_a_callback_may_read(tmp_path: Path) -> None:
    read: list[list[int]] = []

    def note(series: Series, seq: int) -> None:
        read.append(seqs_of(list(writing.read_series(series))))

    writing = EventStore(tmp_path, note)
    put_all(writing, range(1, 4))
    assert writing.close()
    assert read[-1] == [1, 2, 3]


def test_a_locked_store_tells_and_goes_on(tmp_path: Path) -> None:
    told: queue.Queue[str] = queue.Queue()
    store = EventStore(tmp_path, on_failure=told.put)
    store._database._patience = 0.01
    store._database.close()  # opened anew, with less patience, by the first put
    blocker = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    put(store, 1)
    assert "locked" in told.get(timeout=10)
    assert "locked" in store.failure
    blocker.execute("COMMIT")
    blocker.close()
    assert told.get(timeout=10) == ""
    assert seqs_of(list(store.read_job("j-one"))) == [1]
    store.close()


def test_what_waits_is_stored_when_python_ends(tmp_path: Path) -> None:
    code = (
        "import atexit, sys, pathlib\n"
        "from choline_jupyter.ledger.event_store import EventStore\n"
        "from tests.ledger.samples import put\n"
        "store = EventStore(pathlib.Path(sys.argv[1]))\n"
        "atexit.register(lambda: put(store, 1001))\n"
        "for seq in range(1, 1001): put(store, seq)\n"
    )
    program = start_program(code, tmp_path)
    assert program.wait(30) == 0
    end_program(program)
    store = EventStore(tmp_path)
    assert store.find_contiguous("s-one") == {SERIES: 1001}
    store.close()


def test_a_forked_child_leaves_the_store_alone(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from choline_jupyter.ledger.event_store import EventStore\n"
        "from tests.ledger.samples import put\n"
        "store = EventStore(pathlib.Path(sys.argv[1]))\n"
        "put(store, 1); store.flush()\n"
        "child = os.fork()\n"
        "if not child: sys.exit(3)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3\n"
        "put(store, 2)\n"
    )
    program = start_program(code, tmp_path)
    assert program.wait(4) == 0
    end_program(program)
    store = EventStore(tmp_path)
    assert store.find_contiguous("s-one") == {SERIES: 2}
    store.close()


def test_two_stores_of_a_process_outlive_another_process(tmp_path: Path) -> None:
    """POSIX locks belong to the process: a second store must not drop the first one's."""
    first, second = EventStore(tmp_path), EventStore(tmp_path)
    put_all(first, range(1, 3))
    program = (
        "import sys, pathlib; from choline_jupyter.ledger.event_store import EventStore\n"
        "store = EventStore(pathlib.Path(sys.argv[1])); store.list_jobs(); store.close()"
    )
    other = start_program(program, tmp_path)
    assert other.wait(30) == 0
    end_program(other)
    assert (tmp_path / f"{FILE_NAME}-wal").exists(), "another process took itself for the last one"
    put_all(second, range(3, 5))
    assert seqs_of(list(first.read_series(SERIES))) == [1, 2, 3, 4]
    first.close()
    second.close()
