"""Reading events back, in the order in which they were first shown.

Used by `ledger.event_store`. Promises: within a series events come strictly by seq; a record that cannot be read any
more becomes a visible GAP event in its place; memory does not grow with the length of the job.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from choline_jupyter.ledger.blob_folder import BlobFolder
from choline_jupyter.ledger.database import Database
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.wire.record import WireError, decode_record

_PAGE = 64  # rows in memory at a time, of at most 256 KiB each

_SERIES_OF_JOB = (
    "SELECT number, session, epoch, rank FROM series WHERE number ="
    " (SELECT min(series) FROM event WHERE job = ? AND series > ?)"
)
_COLUMNS = "SELECT arrival, seq, job, attempt, at, blob, record FROM event"
_LAST = (
    "SELECT event.arrival, seq, job, attempt, at, blob, record FROM event JOIN"
    " (SELECT arrival FROM event WHERE job = ? AND series = ? ORDER BY seq DESC LIMIT 5000) USING (arrival)"
    " WHERE event.kind IN (%s) ORDER BY seq DESC LIMIT ?"
)


class Row(NamedTuple):
    """One stored event; `at` is in seconds since the epoch; either `blob` or `record` is there."""

    arrival: int
    seq: int
    job: str
    attempt: int
    at: float | None
    blob: str | None
    record: bytes | None


class EventReader:
    """Reads from `database` and `blobs`; any thread may use it. All methods raise StoreError."""

    def __init__(self, database: Database, blobs: BlobFolder) -> None:
        self._database, self._blobs = database, blobs

    def read_job(self, job: str, after: Mapping[Series, int]) -> Iterator[Event]:
        """The events of a job, of each series those past the seq in `after`."""
        found = list(self._list_series_of(job))
        parts = [self._read_part(job, series, number, after.get(series, 0)) for number, series in found]
        # Only the head of each part is compared: what came behind a hole waits for the late row that filled it.
        for _, series, row in heapq.merge(*parts):
            yield self._decode(series, row)

    def read_last(self, job: str, kinds: Collection[Kind], count: int) -> list[Event]:
        """Of each series the last `count` events of a job that are of these kinds, in the order in which they came.

        Looks at the last 5,000 events only: what is older is no news.
        """
        found: list[tuple[int, Event]] = []
        statement = _LAST % ", ".join(str(int(kind)) for kind in kinds)
        for number, series in self._list_series_of(job):
            rows = map(Row._make, self._database.fetch(statement, (job, number, count)))
            found += [(row.arrival, self._decode(series, row)) for row in rows]
        return [event for _, event in sorted(found, key=lambda pair: pair[0])]

    def read_series(self, series: Series, after: int) -> Iterator[Event]:
        """The events of a series past `after`."""
        statement = "SELECT number FROM series WHERE session = ? AND epoch = ? AND rank = ?"
        for (number,) in self._database.fetch(statement, (series.session, series.epoch, series.rank)):
            for row in self._read_rows(" WHERE series = ? AND seq > ?", (number,), after):
                yield self._decode(series, row)

    def find_contiguous(self, session: str) -> dict[Series, int]:
        """Up to which seq each series of a session is stored without a hole."""
        rows = self._database.fetch("SELECT session, epoch, rank, stored FROM series WHERE session = ?", (session,))
        return {Series(*key): stored for *key, stored in rows}

    def _list_series_of(self, job: str) -> Iterator[tuple[int, Series]]:
        """One jump through the index for each series, not one step for each event."""
        number = 0
        while found := self._database.fetch(_SERIES_OF_JOB, (job, number)):
            number, *key = found[0]
            yield number, Series(*key)

    def _read_part(self, job: str, series: Series, number: int, after: int) -> Iterator[tuple[int, Series, Row]]:
        """A job's rows in one series, each with its place among those of other series: when it arrived."""
        for row in self._read_rows(" WHERE job = ? AND series = ? AND seq > ?", (job, number), after):
            yield row.arrival, series, row

    def _read_rows(self, condition: str, values: tuple[object, ...], after: int) -> Iterator[Row]:
        statement = f"{_COLUMNS}{condition} ORDER BY seq LIMIT {_PAGE}"
        while rows := self._database.fetch(statement, (*values, after)):
            yield from map(Row._make, rows)
            after = rows[-1][1]

    def _decode(self, series: Series, row: Row) -> Event:
        try:
            record = self._blobs.load(row.blob) if row.blob else row.record
            return decode_record(series, record or b"")
        except (OSError, ValueError, WireError) as error:
            return _make_gap(series, row, str(error))


def _make_gap(series: Series, row: Row, message: str) -> Event:
    content = json.dumps({"reason": "store", "message": message, "first": row.seq, "last": row.seq}).encode()
    return Event(series, row.seq, Kind.GAP, row.job, row.attempt, row.at or 0.0, content=content)
