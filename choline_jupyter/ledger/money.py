"""What instances cost, as rows: from when on how much by the hour, how many bytes went each way, what was billed.

Part of the ledger (its tables lie in the same file and are as durable); the arithmetic is `session.meter`'s.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from choline_jupyter.ledger.database import Database

MONEY_TABLES = (
    """CREATE TABLE period (
        instance TEXT NOT NULL, since REAL NOT NULL, machine REAL NOT NULL, disk REAL NOT NULL,
        PRIMARY KEY (instance, since)
    )""",
    "CREATE TABLE transfer (instance TEXT PRIMARY KEY, up INTEGER NOT NULL, down INTEGER NOT NULL)",
    "CREATE TABLE bill (instance TEXT PRIMARY KEY, amount REAL NOT NULL, at REAL NOT NULL)",
    "CREATE TABLE failure (provider TEXT NOT NULL, host TEXT NOT NULL, at REAL NOT NULL, reason TEXT NOT NULL)",
)


class Period(NamedTuple):
    """From `since` (seconds since the epoch) until the next one: USD per hour of the machine and of its disk."""

    since: float
    machine: float
    disk: float


class Failure(NamedTuple):
    """A host that has failed, by its provider's name for it."""

    provider: str
    host: str
    at: float
    reason: str


class Accounts(NamedTuple):
    """What was noted of instances when it was read: asking for a thousand, one after the other, takes a second."""

    periods: dict[str, list[Period]]
    moved: dict[str, tuple[int, int]]


class Money:
    """The tables of money in the ledger's file. All methods raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note_rate(self, instance: str, since: float, machine: float, disk: float) -> None:
        """From `since` on it costs so much by the hour; nothing is written when it did before."""
        periods = self.list_periods(instance)
        if is_rate(periods, machine, disk):
            return
        since = max(since, periods[-1].since if periods else since)
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO period VALUES (?, ?, ?, ?)", (instance, since, machine, disk))

    def list_periods(self, instance: str) -> list[Period]:
        """Oldest first."""
        rows = self._database.fetch(
            "SELECT since, machine, disk FROM period WHERE instance = ? ORDER BY since", (instance,)
        )
        return [Period(*row) for row in rows]

    def add_transfer(self, instance: str, up: int, down: int) -> None:
        """So many bytes more have gone to the machine and come from it."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO transfer VALUES (?, ?, ?)"
                " ON CONFLICT (instance) DO UPDATE SET up = up + excluded.up, down = down + excluded.down",
                (instance, up, down),
            )

    def read_accounts(self) -> Accounts:
        """Periods and transfers of all instances at once."""
        periods: dict[str, list[Period]] = {}
        for instance, *row in self._database.fetch("SELECT instance, since, machine, disk FROM period ORDER BY since"):
            periods.setdefault(instance, []).append(Period(*row))
        moved = {row[0]: (int(row[1]), int(row[2])) for row in self._database.fetch("SELECT * FROM transfer")}
        return Accounts(periods, moved)

    def find_transfer(self, instance: str) -> tuple[int, int]:
        """Bytes to the machine and from it."""
        rows = self._database.fetch("SELECT up, down FROM transfer WHERE instance = ?", (instance,))
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)

    def note_bill(self, instance: str, amount: float) -> None:
        """What the provider says that it has charged so far, in USD."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO bill VALUES (?, ?, ?)", (instance, amount, time.time()))

    def find_bill(self, instance: str) -> float | None:
        """The provider's own figure; None where it has told none."""
        rows = self._database.fetch("SELECT amount FROM bill WHERE instance = ?", (instance,))
        return float(rows[0][0]) if rows else None

    def note_failure(self, provider: str, host: str, reason: str) -> None:
        """A host did not do what it was rented for: it is ranked down for a while."""
        if host:
            with self._database.transaction() as connection:
                connection.execute("INSERT INTO failure VALUES (?, ?, ?, ?)", (provider, host, time.time(), reason))

    def list_failures(self, since: float) -> list[Failure]:
        """The newest first."""
        rows = self._database.fetch(
            "SELECT provider, host, at, reason FROM failure WHERE at >= ? ORDER BY at DESC LIMIT 1000", (since,)
        )
        return [Failure(*row) for row in rows]


def is_rate(periods: Sequence[Period], machine: float, disk: float) -> bool:
    """Whether this is what it costs already."""
    return bool(periods) and (periods[-1].machine, periods[-1].disk) == (machine, disk)
