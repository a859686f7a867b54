"""Where inotify has nothing left, growing files are told all the same."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.agent.file_polling import FilePolling, watch_files
from choline_jupyter.agent.file_watch import FileWatch


@pytest.fixture
def polling() -> Iterator[FilePolling]:
    made = FilePolling()
    yield made
    made.close()


def wait(polling: FilePolling) -> list[Path]:
    """What the next look finds; one that finds nothing is as readable as any other."""
    assert select.select([polling], [], [], 30)[0]
    return polling.read()


def test_what_has_grown_is_told_once(polling: FilePolling, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("before")
    other.touch()
    polling.add(one)
    polling.add(other)
    other.write_text("new")
    assert wait(polling) == [other]
    assert wait(polling) == []
    one.write_text("before and after")
    assert wait(polling) == [one]


def test_nothing_is_read_before_it_is_time(polling: FilePolling) -> None:
    wait(polling)
    assert polling.read() == []


def test_inotify_is_taken_where_it_is_to_be_had() -> None:
    watch = watch_files()
    assert isinstance(watch, FileWatch)
    watch.close()


def test_a_user_without_an_instance_left_has_it_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where `fs.inotify.max_user_instances` are open already."""

    def refuse(watch: FileWatch) -> None:
        raise OSError(24, "inotify is not available")

    monkeypatch.setattr(FileWatch, "__init__", refuse)
    watch = watch_files()
    assert isinstance(watch, FilePolling)
    watch.close()
