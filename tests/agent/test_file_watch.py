"""Growing files are told in the order in which they grew."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.agent.file_watch import FileWatch


@pytest.fixture
def watch() -> Iterator[FileWatch]:
    made = FileWatch()
    yield made
    made.close()


def append(path: Path, text: str = "x") -> None:
    with path.open("a") as file:
        file.write(text)


def make_files(folder: Path, watch: FileWatch, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.touch()
        watch.add(path)
    return paths


def test_files_come_in_the_order_of_their_writes(tmp_path: Path, watch: FileWatch) -> None:
    out, err = make_files(tmp_path, watch, "out", "err")
    assert watch.read() == []
    for path in (out, out, err, out):
        append(path)
    assert watch.read() == [out, err, out]
    assert watch.read() == []


def test_the_descriptor_wakes_a_sleeper(tmp_path: Path, watch: FileWatch) -> None:
    [out] = make_files(tmp_path, watch, "out")
    assert select.select([watch.fileno()], [], [], 0)[0] == []
    append(out)
    assert select.select([watch.fileno()], [], [], 30)[0] == [watch.fileno()]


def test_many_writes_are_all_noticed(tmp_path: Path, watch: FileWatch) -> None:
    out, err = make_files(tmp_path, watch, "out", "err")
    for _ in range(5000):
        append(out)
        append(err)
    grown: list[Path] = []
    while part := watch.read():
        grown += part
    assert len(grown) == 10_000


def test_after_more_writes_than_the_system_remembers_every_file_is_told(tmp_path: Path, watch: FileWatch) -> None:
    out, err, last = make_files(tmp_path, watch, "out", "err", "last")
    remembered = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    with out.open("wb", buffering=0) as first, err.open("wb", buffering=0) as second:
        for _ in range(remembered // 2 + 1):
            first.write(b"x")
            second.write(b"x")
    append(last)
    grown: list[Path] = []
    while part := watch.read():
        grown += part
    assert last in grown


def test_what_does_not_exist_cannot_be_watched(tmp_path: Path, watch: FileWatch) -> None:
    with pytest.raises(OSError, match="cannot watch"):
        watch.add(tmp_path / "none")
