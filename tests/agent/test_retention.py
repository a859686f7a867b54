"""Retention: what a client has stored may go, what none has stored stays."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from choline_jupyter.agent import journal, retention
from choline_jupyter.agent.journal import JournalWriter, find_last_seq, list_segments
from choline_jupyter.agent.retention import Retention
from choline_jupyter.model.event import Kind

SESSION = "s-one"


class Usage(NamedTuple):
    """As `shutil.disk_usage` gives it."""

    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_SIZE", 100)
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(1 << 40, 0, 1 << 39))


def fill(sessions: Path, session: str = SESSION, rank: int = 0, count: int = 5) -> Path:
    """A series of `count` records, each in a segment of its own; returns the folder."""
    folder = sessions / session
    folder.mkdir(parents=True, exist_ok=True)
    writer = JournalWriter(folder, rank)
    for _ in range(count):
        writer.append(Kind.STREAM, [b"{}", b"{}", b"{}", b"x" * 60])
    writer.close()
    return folder


def make_old(folder: Path, by: float = retention.KEEP_SECONDS + 60) -> None:
    then = time.time() - by
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (then, then))


def firsts(folder: Path, rank: int = 0) -> list[int]:
    return [segment.first_seq for segment in list_segments(folder, rank)]


def test_the_acknowledged_goes_once_it_is_old(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    kept = Retention(tmp_path)
    kept.acknowledge(SESSION, 0, 3)
    kept.sweep({SESSION})
    assert firsts(folder) == [1, 2, 3, 4, 5]
    make_old(folder)
    kept.sweep({SESSION})
    assert firsts(folder) == [4, 5]


def test_the_acknowledged_goes_when_there_is_too_much_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path)
    size = sum(segment.path.stat().st_size for segment in list_segments(folder, 0))
    monkeypatch.setattr(retention, "KEEP_BYTES", size // 2)
    kept = Retention(tmp_path)
    kept.acknowledge(SESSION, 0, 5)
    kept.sweep({SESSION})
    assert firsts(folder) == [4, 5]


def test_what_no_client_has_stored_stays_however_old(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    make_old(folder)
    Retention(tmp_path).sweep({SESSION})
    assert firsts(folder) == [1, 2, 3, 4, 5]


def test_the_segment_being_written_stays(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    make_old(folder)
    kept = Retention(tmp_path)
    kept.acknowledge(SESSION, 0, 5)
    kept.sweep({SESSION})
    assert firsts(folder) == [5]
    assert find_last_seq(folder, 0) == 5


def test_each_rank_has_its_own_mark(tmp_path: Path) -> None:
    fill(tmp_path, rank=0)
    folder = fill(tmp_path, rank=1)
    make_old(folder)
    kept = Retention(tmp_path)
    kept.acknowledge(SESSION, 1, 4)
    kept.sweep({SESSION})
    assert firsts(folder, 0) == [1, 2, 3, 4, 5]
    assert firsts(folder, 1) == [5]


def test_an_ended_session_goes_when_all_of_it_is_stored(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    kept = Retention(tmp_path)
    kept.acknowledge(SESSION, 0, 4)
    kept.sweep(set())
    assert folder.is_dir()
    kept.acknowledge(SESSION, 0, 5)
    kept.sweep(set())
    assert not folder.exists()


def test_a_session_that_may_be_adopted_stays(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    (folder / "session.json").write_text("{}")
    kept = Retention(tmp_path)
    kept.acknowledge(SESSION, 0, 5)
    kept.sweep(set())
    assert firsts(folder) == [1, 2, 3, 4, 5]


def test_an_ended_session_that_nobody_fetched_goes_when_it_is_old(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    make_old(folder)
    Retention(tmp_path).sweep(set())
    assert not folder.exists()


def test_marks_are_kept_over_a_restart_and_never_go_back(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    first = Retention(tmp_path)
    first.acknowledge(SESSION, 0, 4)
    first.acknowledge(SESSION, 0, 2)
    first.sweep({SESSION})
    assert json.loads((folder / "acked.json").read_text()) == {"0": 4}
    make_old(folder)
    Retention(tmp_path).sweep({SESSION})
    assert firsts(folder) == [5]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"0": "x"}', "null"])
def test_a_damaged_mark_deletes_nothing(tmp_path: Path, text: str) -> None:
    folder = fill(tmp_path)
    (folder / "acked.json").write_text(text)
    make_old(folder)
    Retention(tmp_path).sweep({SESSION})
    assert firsts(folder) == [1, 2, 3, 4, 5]


def test_in_need_the_oldest_goes_stored_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, other = fill(tmp_path), fill(tmp_path, "s-two")
    make_old(other, by=100)
    free = iter([0, 0, 0, 0, 1 << 39])
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(1 << 40, 0, next(free)))
    Retention(tmp_path).sweep({SESSION, "s-two"})
    assert firsts(other) == [4, 5]
    assert firsts(folder) == [1, 2, 3, 4, 5]


def test_without_sessions_there_is_nothing_to_do(tmp_path: Path) -> None:
    Retention(tmp_path / "none").sweep(set())
    assert list(tmp_path.iterdir()) == []
