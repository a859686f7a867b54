"""The event store's size limit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.ledger.event_batch import BLOB_SIZE
from choline_jupyter.ledger.event_store import FILE_NAME, EventStore
from choline_jupyter.model.event import Series
from choline_jupyter.model.job import JobState
from tests.ledger.samples import SERIES, make_job, make_session, put, put_all, seqs_of

LIMIT = 2_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    store = EventStore(tmp_path, size_limit=LIMIT)
    yield store
    store.close()


def run_job(store: EventStore, number: int, state: JobState = JobState.DONE, count: int = 50) -> range:
    """Store a job of about 500 kB; gives its seqs."""
    seqs = range(number * count + 1, (number + 1) * count + 1)
    put_all(store, seqs, job=f"j-{number}", size=10_000)
    job = make_job(f"j-{number}", state, created_at=number)
    store.save_job(dataclasses.replace(job, ended_at=None if state.is_open else number + 0.5))
    settle(store)
    return seqs


def settle(store: EventStore) -> None:
    """Room is made after a batch is reported stored: wait for another batch, too small to need any."""
    assert store.flush()
    store.save_session(make_session())
    assert store.flush()


def evicted_jobs(store: EventStore) -> list[str]:
    return sorted(job.id for job in store.list_jobs() if job.evicted)


def count_events(store: EventStore, number: int) -> int:
    return len(list(store.read_job(f"j-{number}")))


def test_the_oldest_finished_jobs_go(tmp_path: Path, store: EventStore) -> None:
    for number in range(8):
        run_job(store, number)
    gone = evicted_jobs(store)
    assert gone
    assert gone == [f"j-{number}" for number in range(len(gone))]
    assert len(gone) < 7
    assert [count_events(store, number) for number in range(8)] == [0] * len(gone) + [50] * (8 - len(gone))
    assert len(store.list_jobs()) == 8
    assert store.find_contiguous("s-one") == {SERIES: 400}
    store.close()
    assert (tmp_path / FILE_NAME).stat().st_size < LIMIT * 1.5


def test_what_was_read_last_stays(store: EventStore) -> None:
    for number in range(3):
        run_job(store, number)
    assert count_events(store, 0) == 50
    for number in range(3, 6):
        run_job(store, number)
    assert "j-0" not in evicted_jobs(store)
    assert "j-1" in evicted_jobs(store)


def test_open_jobs_stay(store: EventStore) -> None:
    run_job(store, 0, JobState.RUNNING)
    for number in range(1, 8):
        run_job(store, number)
    assert count_events(store, 0) == 50
    assert "j-0" not in evicted_jobs(store)


def test_what_is_not_acknowledged_stays(store: EventStore) -> None:
    """Behind a hole: were it deleted, the hole could never be closed."""
    put(store, 2, Series("s-one", 2, 0), job="j-hole")
    store.save_job(make_job("j-hole", JobState.DONE, created_at=-1))
    for number in range(8):
        run_job(store, number)
    assert "j-hole" in evicted_jobs(store)
    put(store, 1, Series("s-one", 2, 0), job="j-hole")
    assert store.find_contiguous("s-one")[Series("s-one", 2, 0)] == 2


def test_what_was_evicted_does_not_come_back(store: EventStore) -> None:
    seqs = run_job(store, 0)
    for number in range(1, 8):
        run_job(store, number)
    assert "j-0" in evicted_jobs(store)
    put_all(store, seqs, job="j-0")
    assert count_events(store, 0) == 0


def test_saving_a_job_again_keeps_the_mark(store: EventStore) -> None:
    for number in range(8):
        run_job(store, number)
    store.save_job(make_job("j-0", JobState.DONE))
    assert "j-0" in evicted_jobs(store)


def test_another_attempt_can_be_evicted_too(store: EventStore) -> None:
    for number in range(8):
        run_job(store, number)
    store.save_job(make_job("j-0", created_at=0, attempt=2))
    put_all(store, range(401, 451), job="j-0", size=10_000)
    store.save_job(make_job("j-0", JobState.DONE, created_at=0, attempt=2))
    assert seqs_of(list(store.read_series(SERIES)))[-1] == 450
    for number in range(9, 19):
        run_job(store, number)
    assert count_events(store, 0) == 0


def test_blobs_go_with_their_job(tmp_path: Path, store: EventStore) -> None:
    for seq in range(1, 11):
        put(store, seq, job=f"j-{seq}", content=b"%02d" % seq * BLOB_SIZE)
        store.save_job(make_job(f"j-{seq}", JobState.DONE, created_at=seq))
        settle(store)
    assert "j-1" in evicted_jobs(store)
    kept = [len(list(store.read_job(f"j-{seq}"))) for seq in range(1, 11)]
    assert sum(kept) == 10 - len(evicted_jobs(store))
    assert len(list((tmp_path / "blobs").glob("??/*"))) == sum(kept)
    store.close()
    assert sum(path.stat().st_size for path in (tmp_path / "blobs").glob("??/*")) <= LIMIT


def test_what_belongs_to_no_job_goes_with_the_jobs_around_it(store: EventStore) -> None:
    series = Series("s-one", 1, -1)
    put(store, 1, series, job="")
    for number in range(8):
        run_job(store, number)
    put(store, 2, series, job="")
    assert seqs_of(list(store.read_series(series))) == [2]


def test_other_sessions_keep_what_belongs_to_no_job(store: EventStore) -> None:
    series = Series("s-other", 1, -1)
    put(store, 1, series, job="")
    for number in range(8):
        run_job(store, number)
    assert seqs_of(list(store.read_series(series))) == [1]
