"""One batch of events and rows, written in one transaction.

Used by `ledger.event_writer`. Promise: `stored` of a series only ever counts what is in the database or was said to be
missing, whichever processes brought it and in whatever order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection
from typing import NamedTuple, TypeAlias, TypeVar

from choline_jupyter.ledger.blob_folder import BlobFolder
from choline_jupyter.ledger.database import Database
from choline_jupyter.ledger.rows import JOBS, SESSIONS
from choline_jupyter.model.event import Series
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.session import SessionRow
from choline_jupyter.wire.record import Buffer

REFUSED = -1
BLOB_SIZE = 256 << 10  # records above this many bytes become files


class Entry(NamedTuple):
    """One event on its way into the database; `at` is in seconds since the epoch."""

    series: Series
    seq: int
    job: str
    attempt: int
    kind: int
    at: float
    record: Buffer


class Gap(NamedTuple):
    """Seqs, first to last inclusive, that will never come."""

    series: Series
    first: int
    last: int


class Saving(NamedTuple):
    """A row of another table on its way into the database."""

    statement: str
    values: tuple[object, ...]


Item: TypeAlias = Entry | Gap | Saving
Digests: TypeAlias = Mapping[tuple[Series, int], str]  # the blobs of large records, by series and seq
_Kind = TypeVar("_Kind", Entry, Gap, Saving)

_INSERT_EVENT = (
    "INSERT INTO event (series, seq, job, attempt, kind, at, size, blob, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (series, seq) DO NOTHING"
)
_INSERT_GAP = (
    "INSERT INTO gap (series, first, last) VALUES (?, ?, ?)"
    " ON CONFLICT (series, first) DO UPDATE SET last = max(last, excluded.last)"
)
_SAVE_SESSION = SESSIONS.make_upsert(keep="created_at", condition="session.epoch <= excluded.epoch")
# A client that comes late must not reopen what another one saw end; only another attempt does.
_SAVE_JOB = JOBS.make_upsert(
    keep="evicted",
    condition="job.attempt < excluded.attempt OR (job.attempt = excluded.attempt"
    " AND (job.state IN ('queued', 'running') OR excluded.state NOT IN ('queued', 'running')))",
)


def save_session(row: SessionRow) -> Saving:
    """The session to be stored; raises ValueError when a field has not the type it should."""
    return Saving(_SAVE_SESSION, SESSIONS.encode(row))


def save_job(row: JobRow) -> Saving:
    """The job to be stored; raises ValueError when a field has not the type it should."""
    return Saving(_SAVE_JOB, JOBS.encode(row))


def save_blobs(blobs: BlobFolder, items: Iterable[Item]) -> Digests:
    """Write the large records of a batch, before its transaction: other processes need not wait for their bytes."""
    large = (entry for entry in _select(items, Entry) if len(entry.record) > BLOB_SIZE)
    return {(entry.series, entry.seq): blobs.save(entry.record) for entry in large}


def write_batch(database: Database, blobs: BlobFolder, digests: Digests, items: Sequence[Item]) -> dict[Series, int]:
    """Commit the batch; gives the seq up to which each series it touches is now stored. Raises StoreError.

    A series of an epoch that its session has left behind is `REFUSED`: nothing of it is stored any more.
    """
    entries, gaps = _select(items, Entry), _select(items, Gap)
    touched = {entry.series for entry in entries} | {gap.series for gap in gaps}
    with database.transaction() as connection:
        for saving in _select(items, Saving):
            connection.execute(saving.statement, saving.values)
        past = _list_past(connection, touched)
        entries = [entry for entry in entries if entry.series not in past]
        gaps = [gap for gap in gaps if gap.series not in past]
        touched -= past
        numbers = {series: _number_series(connection, series) for series in touched}
        settled = {series: _list_settled(connection, number) for series, number in numbers.items()}
        new = [entry for entry in entries if not any(entry.seq in seqs for seqs in settled[entry.series])]
        _restore_blobs(blobs, digests, new)
        connection.executemany(_INSERT_EVENT, [_make_row(numbers[entry.series], digests, entry) for entry in new])
        connection.executemany(_INSERT_GAP, [(numbers[gap.series], gap.first, gap.last) for gap in gaps])
        stored = {series: _advance(connection, number) for series, number in numbers.items()}
        return stored | dict.fromkeys(past, REFUSED)


def _list_past(connection: Connection, touched: Iterable[Series]) -> set[Series]:
    """The series whose sessions go on in a later epoch."""
    statement = "SELECT epoch FROM session WHERE id = ?"
    epochs = {one: connection.execute(statement, (one,)).fetchone() for one in {series.session for series in touched}}
    return {series for series in touched if (epochs[series.session] or (0,))[0] > series.epoch}


def _select(items: Iterable[Item], kind: type[_Kind]) -> list[_Kind]:
    return [item for item in items if isinstance(item, kind)]


def _restore_blobs(blobs: BlobFolder, digests: Digests, entries: Iterable[Entry]) -> None:
    """Write again what another process swept, as nobody's, since `save_blobs`; nobody sweeps during a transaction."""
    for entry in entries if digests else ():
        digest = digests.get((entry.series, entry.seq))
        if digest and not blobs.has(digest):
            blobs.save(entry.record)


def _make_row(number: int, digests: Digests, entry: Entry) -> tuple[object, ...]:
    size = len(entry.record)
    digest = digests.get((entry.series, entry.seq)) if size > BLOB_SIZE else None
    return (number, *entry[1:6], size, digest, None if digest else entry.record)


def _number_series(connection: Connection, series: Series) -> int:
    key = (series.session, series.epoch, series.rank)
    connection.execute("INSERT INTO series (session, epoch, rank) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", key)
    statement = "SELECT number FROM series WHERE session = ? AND epoch = ? AND rank = ?"
    return int(connection.execute(statement, key).fetchone()[0])


def _list_settled(connection: Connection, number: int) -> list[range]:
    """The seqs that were stored, of which some may have been evicted since and must not come back.

    Not those that were said to be missing: another client may have them after all.
    """
    first, settled = 1, []
    stored = _read_stored(connection, number)
    gaps = "SELECT first, last FROM gap WHERE series = ? AND first <= ? ORDER BY first"
    for gap_first, gap_last in connection.execute(gaps, (number, stored)):
        settled.append(range(first, gap_first))
        first = max(first, gap_last + 1)
    return [*settled, range(first, stored + 1)]


def _read_stored(connection: Connection, number: int) -> int:
    return int(connection.execute("SELECT stored FROM series WHERE number = ?", (number,)).fetchone()[0])


def _advance(connection: Connection, number: int) -> int:
    """Move the series' mark over all that follows it without a hole."""
    before = stored = _read_stored(connection, number)
    while True:
        reached = _pass_gap(connection, number, _pass_events(connection, number, stored))
        if reached == stored:
            break
        stored = reached
    if stored > before:
        connection.execute("UPDATE series SET stored = ? WHERE number = ?", (stored, number))
    return stored


def _pass_events(connection: Connection, number: int, stored: int) -> int:
    statement = "SELECT seq FROM event WHERE series = ? AND seq > ? ORDER BY seq"
    for (seq,) in connection.execute(statement, (number, stored)):
        if seq != stored + 1:
            break
        stored = seq
    return stored


def _pass_gap(connection: Connection, number: int, stored: int) -> int:
    statement = "SELECT max(last) FROM gap WHERE series = ? AND first <= ?"
    last = connection.execute(statement, (number, stored + 1)).fetchone()[0]
    return max(stored, last or 0)
