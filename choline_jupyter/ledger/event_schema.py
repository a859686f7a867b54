"""The tables of the event store.

`event.arrival` numbers events in the order in which they were stored. `series.stored` is the seq up to which the
series has been stored without a hole; it outlives the events themselves, which may be evicted. `gap` holds runs of
seqs that will never come. Large records are blobs: `record` is null and `blob` names the file.

Events have a rowid and their key a unique index: with the records inside an index (WITHOUT ROWID) SQLite must move
whole records to keep it balanced, which was slower and larger at every page size up to 8 KiB.
"""

from __future__ import annotations

from choline_jupyter.ledger.database import Schema

_TABLES = (
    """CREATE TABLE series (
        number INTEGER PRIMARY KEY, session TEXT NOT NULL, epoch INTEGER NOT NULL, rank INTEGER NOT NULL,
        stored INTEGER NOT NULL DEFAULT 0, UNIQUE (session, epoch, rank)
    )""",
    """CREATE TABLE event (
        arrival INTEGER PRIMARY KEY, series INTEGER NOT NULL, seq INTEGER NOT NULL, job TEXT NOT NULL,
        attempt INTEGER NOT NULL, kind INTEGER NOT NULL, at REAL, size INTEGER NOT NULL, blob TEXT, record BLOB
    )""",
    "CREATE UNIQUE INDEX event_key ON event (series, seq)",
    "CREATE INDEX event_by_job ON event (job, series, seq)",
    "CREATE INDEX event_by_blob ON event (blob, size) WHERE blob IS NOT NULL",
    """CREATE TABLE gap (
        series INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (series, first)
    ) WITHOUT ROWID""",
    """CREATE TABLE session (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, provider TEXT NOT NULL, machine TEXT NOT NULL,
        directory TEXT NOT NULL, epoch INTEGER NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL,
        trust TEXT NOT NULL
    )""",
    """CREATE TABLE job (
        id TEXT PRIMARY KEY, session TEXT NOT NULL, name TEXT NOT NULL, attempt INTEGER NOT NULL,
        state TEXT NOT NULL, code_digest TEXT NOT NULL, code TEXT NOT NULL, notebook TEXT NOT NULL,
        cell_id TEXT NOT NULL, created_at REAL NOT NULL, started_at REAL, ended_at REAL, detached INTEGER NOT NULL,
        status TEXT NOT NULL, ename TEXT NOT NULL, evalue TEXT NOT NULL, execution_count INTEGER,
        evicted INTEGER NOT NULL, read_at REAL NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX job_by_session ON job (session, created_at)",
    "CREATE INDEX job_by_notebook ON job (notebook, created_at)",
)

SCHEMA = Schema(migrations=(_TABLES,), durable=False, checked=False)
