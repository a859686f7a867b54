"""Files are read once, and again when they may have changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from choline_jupyter.store import scan as module
from choline_jupyter.store.mark import is_same, make_mark
from choline_jupyter.store.scan import Changing, Scan

LONG_AGO = 1_000_000_000_000_000_000  # ns


def make(path: Path, text: str, mtime: int = LONG_AGO) -> Path:
    path.write_text(text)
    os.utime(path, ns=(mtime, mtime))
    return path


def hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_an_old_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COARSE", -(1 << 62))  # every clock is fine enough
    memory = tmp_path / "memory"
    scan, path = Scan(memory), make(tmp_path / "f", "one")
    assert scan.hash(str(path))[0] == hash_text("one")
    scan.save()
    monkeypatch.setattr(module, "_read", lambda path: pytest.fail("it was read again"))
    assert scan.hash(str(path))[0] == hash_text("one")
    assert Scan(memory).hash(str(path))[0] == hash_text("one")


def test_a_change_that_the_clock_does_not_show_is_seen(tmp_path: Path) -> None:
    """Same size, same time, same inode: it was changed within one tick after it was read."""
    scan, path = Scan(), make(tmp_path / "f", "one")
    scan.hash(str(path))
    make(path, "two")
    assert scan.hash(str(path))[0] == hash_text("two")


def test_a_file_that_does_not_keep_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "f", "one")
    read = module._read

    def grow(name: str, chunking: None) -> object:
        found = read(name, chunking)
        with path.open("a") as file:
            file.write("more")
        return (*found[:2], path.stat())

    monkeypatch.setattr(module, "_read", grow)
    with pytest.raises(Changing):
        Scan().hash(str(path))


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="no regular file"):
        Scan().hash(str(tmp_path / "fifo"))


def test_a_memory_that_is_nonsense_is_forgotten(tmp_path: Path) -> None:
    memory = make(tmp_path / "memory", '[["a", 1], {"b": 2}')
    assert Scan(memory).hash(str(make(tmp_path / "f", "one")))[0] == hash_text("one")


def test_the_same_folder_is_known_by_its_mark(tmp_path: Path) -> None:
    here, other = tmp_path / "here", tmp_path / "other"
    here.mkdir()
    other.mkdir()
    for folder in (here, other):
        make(folder / "a", "one")
    mark = make_mark(str(here))
    assert is_same(str(here), mark)
    assert not is_same(str(other), mark)
    assert not is_same(str(tmp_path / "none"), mark)
    assert not is_same(str(here), {})
    (here / "a").unlink()
    assert not is_same(str(here), mark)
