"""One SQLite file of ours, opened safely: private, versioned, checked, explained.

Used by `ledger.ledger` and `ledger.event_store`. Promises: the file is 0600 in a folder that is 0700 if we made it; a
file of a newer choline is refused; a damaged one is set aside under a dated name and a new one begun, and `notice`
says so; one that was deleted or replaced while open is opened anew, so nothing is written to a file without a name.
Several processes may have it open. It must not lie on a network file system (`ledger.location` sees to that).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from choline_jupyter.ledger.damage import is_marked, mark_damaged, move_aside
from choline_jupyter.ledger.file_lock import FileLock
from choline_jupyter.ledger.trouble import StoreError, explain_error, is_damage

__all__ = ["Database", "Schema", "StoreError"]

PATIENCE = 5.0  # seconds to wait for another process's lock

# Records are 1-3 KB: pages of 4 KiB would be half empty.
_BEFORE_TABLES = ("PRAGMA page_size = 8192", "PRAGMA auto_vacuum = INCREMENTAL")
_JOURNAL_LIMIT = "PRAGMA journal_size_limit = 67108864"

_UPGRADE = "Upgrade with `pip install -U choline-jupyter`, or set CHOLINE_HOME to another folder."
_CLOSE_OTHERS = "Close the other notebooks and commands that use choline, then run this again."
_SET_ASIDE = "%s was damaged; it is kept as %s and a new one was begun."
_NO_LOG = "%s is kept with SQLite's slower rollback journal, because this file system cannot do better."


class Schema(NamedTuple):
    """How a file is built and kept.

    `migrations[n]` are the statements that lead from version n to n + 1; published ones never change. `durable`: a
    commit survives a power cut (synchronous = FULL), not only a crash of the process. `checked`: the whole file is
    read when it is opened, which only a small file can afford.
    """

    migrations: Sequence[Sequence[str]]
    durable: bool
    checked: bool


class Database:
    """An open file. Any thread may call any method: a lock lets in one at a time. No thread of its own."""

    def __init__(self, path: Path, schema: Schema, patience: float = PATIENCE) -> None:
        self.path = path
        self.notice = ""
        self._schema, self._patience = schema, patience
        self._guard = threading.RLock()
        self._use: FileLock | None = None
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)
        with self._enter():
            pass

    def fetch(self, statement: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
        """All rows of one statement; raises StoreError."""
        with self._enter() as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is done inside is committed at the end, whole or not at all; raises StoreError."""
        with self._enter() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.rollback()
                raise

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        with self._guard:
            if self._connection:
                self._connection.close()
            if self._use:
                self._use.close()
            self._connection = self._use = None

    @contextmanager
    def _enter(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            try:
                yield self._ensure_open()
            except (sqlite3.Error, OSError, OverflowError, UnicodeError) as error:
                if is_damage(error):
                    mark_damaged(self.path)
                    self.close()
                raise explain_error(error, self.path) from None

    def _ensure_open(self) -> sqlite3.Connection:
        if self._connection and _identify(self.path) == self._identity:
            return self._connection
        self.close()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._use = FileLock(self.path.with_name(self.path.name + ".lock"))
        try:
            self._connection = self._open(self._use)
        except BaseException:
            self.close()
            raise
        self._identity = _identify(self.path)
        return self._connection

    def _open(self, use: FileLock) -> sqlite3.Connection:
        if not use.share(self._patience):
            raise sqlite3.OperationalError("database is locked")
        connection = self._try_prepare()
        if connection:
            return connection
        if not use.seize(self._patience):
            raise StoreError(f"{self.path} is damaged, and another choline process has it open.", _CLOSE_OTHERS)
        connection = self._try_prepare()  # someone else may have been here first
        if connection is None:
            self.notice = _SET_ASIDE % (self.path, move_aside(self.path))
            connection = self._prepare()
        use.share(0)
        return connection

    def _try_prepare(self) -> sqlite3.Connection | None:
        """The file ready for use, None when it is damaged."""
        if is_marked(self.path):
            return None
        try:
            return self._prepare()
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                return None
            raise

    def _prepare(self) -> sqlite3.Connection:
        # SQLite's logs take the file's mode. One that is there is not touched: closing it would drop the locks of this
        # process's other connections to it, and another process would then delete the log under them.
        if not self.path.is_file():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self.path, timeout=self._patience, isolation_level=None, check_same_thread=False)
        try:
            self._read_version(connection)  # a newer file must not even be touched
            self._configure(connection)
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _configure(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            for statement in _BEFORE_TABLES:
                connection.execute(statement)
        if not _enable_log(connection, self._patience):
            self.notice = _NO_LOG % self.path
        connection.execute("PRAGMA synchronous = " + ("FULL" if self._schema.durable else "NORMAL"))
        connection.execute(_JOURNAL_LIMIT)
        if self._schema.checked and connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("database disk image is malformed")

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if self._read_version(connection) == len(self._schema.migrations):
            return
        connection.execute("BEGIN IMMEDIATE")
        for number, statements in enumerate(self._schema.migrations, 1):
            if number > self._read_version(connection):
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")

    def _read_version(self, connection: sqlite3.Connection) -> int:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        known = len(self._schema.migrations)
        if version > known:
            raise StoreError(f"{self.path} belongs to a newer choline (format {version}, known: {known}).", _UPGRADE)
        return version


def _enable_log(connection: sqlite3.Connection, patience: float) -> bool:
    """Switch to the write-ahead log; False when the file system cannot do it.

    SQLite does not wait when two processes switch a new file at the same moment, so this does.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return bool(mode == "wal")


def _identify(path: Path) -> tuple[int, int]:
    """Which file this is, (0, 0) when there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_dev, status.st_ino
