"""Opening an SQLite file: private, versioned, locked, damaged, deleted."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from choline_jupyter.ledger.database import Database, Schema, StoreError
from tests.ledger.samples import end_program, read_line, start_program

ONE = (("CREATE TABLE thing (name TEXT)",),)
TWO = (*ONE, ("ALTER TABLE thing ADD COLUMN size INTEGER DEFAULT 7", "INSERT INTO thing (name) VALUES ('new')"))

MAKE = """
import sys, pathlib
from choline_jupyter.ledger.database import Database
from tests.ledger.test_database import TWO, make_schema
print("ready", flush=True)
sys.stdin.readline()
database = Database(pathlib.Path(sys.argv[1]), make_schema(TWO))
with database.transaction() as connection:
    connection.execute("INSERT INTO thing (name) VALUES (?)", (sys.argv[2],))
print(repr(database.notice))
"""
HOLD = """
import sys, pathlib
from choline_jupyter.ledger.database import Database
from tests.ledger.test_database import make_schema
database = Database(pathlib.Path(sys.argv[1]), make_schema(checked=False))
print("open", flush=True)
sys.stdin.readline()
"""


def make_schema(migrations: tuple[tuple[str, ...], ...] = ONE, *, durable: bool = True, checked: bool = True) -> Schema:
    return Schema(migrations, durable, checked)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "choline" / "thing.db"


def insert(database: Database, name: str) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO thing (name) VALUES (?)", (name,))


def names_in(database: Database) -> list[str]:
    return [name for (name,) in database.fetch("SELECT name FROM thing ORDER BY rowid")]


def test_files_are_private(path: Path) -> None:
    database = Database(path, make_schema())
    insert(database, "a")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert path.with_name("thing.db-wal") in files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    database.close()


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_journal_and_synchronous(path: Path, durable: bool, level: int) -> None:
    database = Database(path, make_schema(durable=durable))
    assert database.fetch("PRAGMA journal_mode") == [("wal",)]
    assert database.fetch("PRAGMA synchronous") == [(level,)]
    database.close()


def test_a_file_is_migrated(path: Path) -> None:
    old = Database(path, make_schema(ONE))
    insert(old, "old")
    old.close()
    new = Database(path, make_schema(TWO))
    assert new.fetch("SELECT name, size FROM thing ORDER BY name") == [("new", 7), ("old", 7)]
    new.close()
    again = Database(path, make_schema(TWO))
    assert len(names_in(again)) == 2
    again.close()


def test_a_failed_migration_changes_nothing(path: Path) -> None:
    Database(path, make_schema(ONE)).close()
    broken = (*ONE, ("INSERT INTO thing (name) VALUES ('half')", "INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(StoreError):
        Database(path, make_schema(broken))
    database = Database(path, make_schema(ONE))
    assert names_in(database) == []
    database.close()


def test_a_newer_file_is_refused_and_untouched(path: Path) -> None:
    Database(path, make_schema(TWO)).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer choline") as caught:
        Database(path, make_schema(ONE))
    assert "pip install -U" in caught.value.hint
    assert path.read_bytes() == before


def test_a_transaction_is_whole_or_not_at_all(path: Path) -> None:
    database = Database(path, make_schema())

    def fail_halfway() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO thing VALUES ('half')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert names_in(database) == []
    insert(database, "whole")
    assert names_in(database) == ["whole"]
    database.close()


def test_a_lock_is_waited_for_and_then_told(path: Path) -> None:
    database = Database(path, make_schema(), patience=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked") as caught:
        insert(database, "a")
    assert "Close" in caught.value.hint
    other.execute("COMMIT")
    insert(database, "b")
    assert names_in(database) == ["b"]
    other.close()
    database.close()


def test_a_locked_file_cannot_be_opened(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("CREATE TABLE other (x)")
    with pytest.raises(StoreError, match="locked"):
        Database(path, make_schema(), patience=0.05)
    other.close()


def test_many_processes_make_one_file(path: Path) -> None:
    programs = [start_program(MAKE, path, f"p{number}") for number in range(6)]
    for program in programs:
        assert read_line(program) == "ready\n"
    for program in programs:
        assert program.stdin
        program.stdin.write("go\n")
        program.stdin.flush()
    answers = [program.communicate()[0] for program in programs]
    assert answers == ["''\n"] * 6
    database = Database(path, make_schema(TWO))
    assert sorted(names_in(database)) == ["new", "p0", "p1", "p2", "p3", "p4", "p5"]
    database.close()


def test_threads_take_turns(path: Path) -> None:
    database = Database(path, make_schema())

    def insert_many(base: str) -> None:
        for number in range(20):
            insert(database, f"{base}{number}")

    threads = [threading.Thread(target=insert_many, args=(base,)) for base in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names_in(database))) == 80
    database.close()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("this is not a database" * 1000),
    "header": lambda path: path.write_bytes(b"\xff" * 100 + path.read_bytes()[100:]),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: 8192 + 17]),
    "middle": lambda path: path.write_bytes(path.read_bytes()[:32768] + b"\xff" * 8192 + path.read_bytes()[40960:]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_file_is_kept_and_a_new_one_begun(path: Path, damage: Callable[[Path], object]) -> None:
    old = Database(path, make_schema())
    for number in range(500):
        insert(old, f"{number}" * 50)
    old.close()
    damage(path)
    damaged = path.read_bytes()
    database = Database(path, make_schema())
    (aside,) = path.parent.glob("thing.db.damaged-????-??-??-??????")
    assert aside.read_bytes() == damaged
    assert str(aside) in database.notice
    insert(database, "a")
    assert names_in(database) == ["a"]
    database.close()


def test_the_log_of_a_damaged_file_goes_with_it(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("nonsense" * 100)
    path.with_name("thing.db.damaged").touch()
    path.with_name("thing.db-wal").write_text("log")
    database = Database(path, make_schema())
    (log,) = path.parent.glob("thing.db.damaged-*-wal")
    assert log.read_text() == "log"
    database.close()


def test_damage_met_later_is_remembered(path: Path) -> None:
    """Large files are not read through when opened: whoever meets the damage leaves a mark, and the file heals."""
    schema = make_schema(checked=False)
    database = Database(path, schema)
    for number in range(500):
        insert(database, f"{number}" * 50)
    database.close()
    DAMAGES["middle"](path)
    database = Database(path, schema)
    assert database.notice == ""
    with pytest.raises(StoreError, match="damaged"):
        names_in(database)
    assert names_in(database) == []
    assert "kept as" in database.notice
    assert not path.with_name("thing.db.damaged").exists()
    database.close()


def test_a_damaged_file_in_use_is_left_alone(path: Path) -> None:
    other = start_program(HOLD, path)
    assert read_line(other) == "open\n"
    path.with_name("thing.db.damaged").touch()
    with pytest.raises(StoreError, match="another choline process") as caught:
        Database(path, make_schema(), patience=0.05)
    assert "Close" in caught.value.hint
    end_program(other)
    database = Database(path, make_schema())
    assert "kept as" in database.notice
    database.close()


def test_two_damaged_files_in_one_second(path: Path) -> None:
    for _ in range(3):
        Database(path, make_schema()).close()
        path.write_text("nonsense" * 100)
    Database(path, make_schema()).close()
    assert len(list(path.parent.glob("thing.db.damaged-*"))) == 3


def test_a_deleted_file_is_made_anew(path: Path) -> None:
    database = Database(path, make_schema())
    insert(database, "lost")
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()
    insert(database, "kept")
    database.close()
    again = Database(path, make_schema())
    assert names_in(again) == ["kept"]
    again.close()


def test_a_folder_in_the_files_place(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="Is a directory") as caught:
        Database(path, make_schema())
    assert "CHOLINE_HOME" in caught.value.hint


def test_a_closed_database_opens_again(path: Path) -> None:
    database = Database(path, make_schema())
    insert(database, "a")
    database.close()
    assert names_in(database) == ["a"]
    database.close()
