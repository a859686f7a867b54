"""Making room in the event store: the output of finished jobs goes, least recently used first.

Called by `ledger.event_writer` on its own thread. Promises: job rows stay and say that their output is gone; the output
of open jobs stays; nothing goes before it was stored without a hole, because it would be taken for missing.
"""

from __future__ import annotations

from choline_jupyter.ledger.blob_folder import BlobFolder
from choline_jupyter.ledger.database import Database

_CHECKS = 32  # the size is measured each time another 1/32 of the limit has been written
_TARGET = 0.9  # of the limit: so that the next batch does not evict again
_ROWS = 2000  # deleted in one transaction: other processes wait no longer than that
_VACUUM = "PRAGMA incremental_vacuum(32768)"  # pages given back to the disk at a time

_PAGES = (
    "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)
_BLOBS = "SELECT coalesce(sum(size), 0) FROM (SELECT DISTINCT blob, size FROM event WHERE blob IS NOT NULL)"
_NAMED = "SELECT DISTINCT blob FROM event WHERE blob IS NOT NULL"
_CANDIDATES = (
    "SELECT id, session FROM job WHERE state NOT IN ('queued', 'running')"
    " AND EXISTS (SELECT 1 FROM event WHERE event.job = job.id)"
    " ORDER BY max(read_at, coalesce(ended_at, created_at))"
)
_DELETE = (
    "DELETE FROM event WHERE arrival IN ("
    " SELECT arrival FROM event JOIN series ON series.number = event.series"
    " WHERE job = ? AND session = ? AND seq <= stored AND arrival <= ? LIMIT ?)"
)


class Evictor:
    """Keeps the store at `directory` below `limit` bytes. Used by one thread."""

    def __init__(self, database: Database, blobs: BlobFolder, limit: int) -> None:
        self._database, self._blobs, self._limit = database, blobs, limit
        self._until_check = 0

    def count(self, written: int) -> None:
        """Note that `written` bytes were added, and make room when it is time to; raises StoreError."""
        self._until_check -= written
        if self._until_check <= 0:
            self._until_check = self._limit // _CHECKS
            self.make_room()

    def make_room(self) -> None:
        """Evict until the store is below its limit or nothing is left that may go; raises StoreError."""
        if self._measure() <= self._limit:
            return
        for job, session in self._database.fetch(_CANDIDATES):
            self._evict(job, session)
            if self._measure() <= self._limit * _TARGET:
                break
        self._sweep()
        self._database.fetch(_VACUUM)

    def _measure(self) -> int:
        """Bytes in use, in the database and in blobs."""
        return sum(int(self._database.fetch(statement)[0][0]) for statement in (_PAGES, _BLOBS))

    def _evict(self, job: str, session: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("UPDATE job SET evicted = 1 WHERE id = ?", (job,))
        newest = self._database.fetch("SELECT max(arrival) FROM event WHERE job = ?", (job,))[0][0]
        self._delete(job, session, newest)
        self._delete("", session, newest)  # what belongs to no job goes with the jobs around it

    def _delete(self, job: str, session: str, newest: int) -> None:
        deleted = _ROWS
        while deleted == _ROWS:
            with self._database.transaction() as connection:
                deleted = connection.execute(_DELETE, (job, session, newest, _ROWS)).rowcount

    def _sweep(self) -> None:
        """Delete the blobs that no event names. Inside a transaction, so that nobody adds one meanwhile."""
        with self._database.transaction() as connection:
            self._blobs.sweep({blob for (blob,) in connection.execute(_NAMED)})
