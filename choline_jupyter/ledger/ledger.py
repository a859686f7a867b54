"""The ledger: which instances were asked for and what became of them. The only truth after a crash.

Called by `session` before and after every act on a provider. Promise: when a method returns, what it was told is on
the disk (synchronous = FULL), so an act that follows can never be one that nobody knows of. Any thread may call it;
a commit takes some milliseconds, so an event loop calls it through a thread.
"""

from __future__ import annotations

import re
import secrets
import time
from contextlib import suppress
from pathlib import Path

from choline_jupyter.ledger.database import Database, Schema
from choline_jupyter.ledger.money import MONEY_TABLES, Money
from choline_jupyter.ledger.rows import INSTANCES
from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.model.instance import InstanceRow, InstanceState

FILE_NAME = "ledger.db"

_SCHEMA = Schema(
    migrations=(
        (
            """CREATE TABLE instance (
                id TEXT PRIMARY KEY, provider TEXT NOT NULL, label TEXT NOT NULL UNIQUE, session TEXT NOT NULL,
                offer TEXT NOT NULL, handle TEXT NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL, ended_at REAL
            )""",
        ),
        (
            "ALTER TABLE instance ADD COLUMN epoch INTEGER NOT NULL DEFAULT 1",
            "ALTER TABLE instance ADD COLUMN address TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE instance ADD COLUMN host_key TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE instance ADD COLUMN budget REAL NOT NULL DEFAULT 0",
            "ALTER TABLE instance ADD COLUMN deadline_at REAL NOT NULL DEFAULT 0",
            "ALTER TABLE instance ADD COLUMN lease REAL NOT NULL DEFAULT 0",
            "ALTER TABLE instance ADD COLUMN hold REAL NOT NULL DEFAULT 0",
            "ALTER TABLE instance ADD COLUMN disk INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE instance ADD COLUMN absences INTEGER NOT NULL DEFAULT -1",
            "CREATE TABLE client (id TEXT PRIMARY KEY)",
            *MONEY_TABLES,
        ),
        ("CREATE TABLE epoch (session TEXT PRIMARY KEY, number INTEGER NOT NULL)",),
    ),
    durable=True,
    checked=True,
)
_CLIENT = re.compile(r"[0-9a-f]{8}\Z")
_ASK = "Run `choline status` to see what there is."


class Ledger:
    """The ledger in `directory`. All methods raise StoreError when the file cannot be used."""

    def __init__(self, directory: Path) -> None:
        self._client_file = directory / "client"
        self._database = Database(directory / FILE_NAME, _SCHEMA)
        self.money = Money(self._database)

    @property
    def notice(self) -> str:
        """One sentence for the user about the file, empty when all is well."""
        return self._database.notice

    def record_intent(self, instance: InstanceRow) -> None:
        """Write down an instance before its provider is asked for it; a label that was ever used is refused."""
        with self._database.transaction() as connection:
            used = connection.execute(
                "SELECT 1 FROM instance WHERE id = ? OR label = ?", (instance.id, instance.label)
            ).fetchone()
            if used:
                raise StoreError(f"The label {instance.label} was used before.", _ASK)
            connection.execute(INSTANCES.insert, INSTANCES.encode(instance))

    def update_instance(self, instance: str, state: InstanceState, handle: str | None = None) -> None:
        """Note what became of it; `handle` is the provider's name for it. What is gone stays gone."""
        ended_at = None if state.is_open else time.time()
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE instance SET state = :state, handle = coalesce(:handle, handle),"
                " ended_at = coalesce(ended_at, :ended_at)"
                " WHERE id = :id AND (state != 'gone' OR :state = 'gone')",
                {"state": state.value, "handle": handle, "ended_at": ended_at, "id": instance},
            ).rowcount
            if not changed:
                raise StoreError(f"The ledger has no instance {instance}, or it is gone.", _ASK)

    def find_epoch(self, session: str) -> int:
        """The newest epoch of a session; 1 where none was ever begun."""
        rows = self._database.fetch("SELECT number FROM epoch WHERE session = ?", (session,))
        return int(rows[0][0]) if rows else 1

    def advance_epoch(self, session: str, known: int) -> bool:
        """Begin the epoch behind the one that is known; False where somebody else has begun it."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO epoch (session, number) VALUES (?, 1)", (session,))
            statement = "UPDATE epoch SET number = number + 1 WHERE session = ? AND number = ?"
            return bool(connection.execute(statement, (session, known)).rowcount)

    def note_address(self, instance: str, address: str) -> None:
        """Where it is reached."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE instance SET address = ? WHERE id = ?", (address, instance))

    def limit_instance(self, instance: str, budget: float, lease: float, hold: float, deadline_at: float) -> None:
        """What it may cost in all (USD), be idle and be held (seconds), and until when it may live."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE instance SET budget = ?, lease = ?, hold = ?, deadline_at = ? WHERE id = ?",
                (budget, lease, hold, deadline_at, instance),
            )

    def note_absences(self, instance: str, count: int) -> None:
        """How many listings in a row have not had it."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE instance SET absences = ? WHERE id = ?", (count, instance))

    def find_client(self) -> str:
        """The id of this ledger, made once: in every label, so that no one ends what is another's. It is in a file of its
        own, too: with a ledger that is lost, the machines that it knew would be another's from then on.
        """
        with self._database.transaction() as connection:
            found = connection.execute("SELECT id FROM client").fetchone()
            if not found:
                found = (self._read_client() or secrets.token_hex(4),)
                connection.execute("INSERT INTO client (id) VALUES (?)", found)
        if not self._read_client():
            with suppress(OSError):
                self._client_file.write_text(f"{found[0]}\n")
        return str(found[0])

    def _read_client(self) -> str:
        try:
            text = self._client_file.read_text().strip()
        except (OSError, ValueError):
            return ""
        return text if _CLIENT.match(text) else ""

    def list_instances(self, open_only: bool = False) -> list[InstanceRow]:
        """The instances, oldest first; with `open_only` those that may still exist."""
        condition = " WHERE state != 'gone'" if open_only else ""
        rows = self._database.fetch(INSTANCES.select + condition + " ORDER BY created_at, id")
        return [INSTANCES.decode(row) for row in rows]

    def list_of_session(self, session: str) -> list[InstanceRow]:
        """The instances that a session has lived on, or was to, oldest first."""
        rows = self._database.fetch(INSTANCES.select + " WHERE session = ? ORDER BY created_at, id", (session,))
        return [INSTANCES.decode(row) for row in rows]

    def list_labels(self, open_only: bool = False) -> set[str]:
        """The labels of the instances, without the rest."""
        statement = "SELECT label FROM instance WHERE state != 'gone' OR NOT ?"
        return {row[0] for row in self._database.fetch(statement, (open_only,))}

    def close(self) -> None:
        """Close the file."""
        self._database.close()
