"""Files put below a folder: whole, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.store.entry import EntryError
from choline_jupyter.store.tree import Tree

PARTS = st.sampled_from(["a", "b", "..", ".", "", "link", "é", "c\n", "sub"])


def list_all(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_is_put_with_its_mode_and_time(tmp_path: Path) -> None:
    Tree(str(tmp_path)).put_file("a/b.sh", [b"one", memoryview(b"two")], 0o755, 1_000_000_000)
    status = (tmp_path / "a/b.sh").stat()
    assert (tmp_path / "a/b.sh").read_bytes() == b"onetwo"
    assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o755, 1_000_000_000)
    assert list_all(tmp_path) == ["a", "a/b.sh"]


def test_half_of_a_file_is_never_there(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")

    def break_off() -> Iterator[bytes]:
        yield b"new"
        raise OSError(28, "no space")

    with pytest.raises(OSError, match="no space"):
        Tree(str(tmp_path)).put_file("f", break_off(), 0o644)
    assert (tmp_path / "f").read_text() == "old"
    assert list_all(tmp_path) == ["f"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "kept")
    tree = Tree(str(root))
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        tree.put_file("folder/new", [b"x"], 0o644)
    with pytest.raises(OSError, match="symbolic"):
        tree.open("file")
    tree.remove("folder/kept")
    tree.put_file("file", [b"mine"], 0o644)  # the link itself gives way
    assert list_all(outside) == ["kept"]
    assert (outside / "kept").read_text() == "kept"
    assert not (root / "file").is_symlink()


def test_a_fifo_is_no_file_and_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="no regular file"):
        Tree(str(tmp_path)).open("fifo")


def test_with_the_last_file_its_folders_go(tmp_path: Path) -> None:
    tree = Tree(str(tmp_path))
    tree.put_file("a/b/one", [b""], 0o644)
    tree.put_file("a/two", [b""], 0o644)
    tree.remove("a/b/one")
    tree.remove("a/b/one")
    assert list_all(tmp_path) == ["a", "a/two"]


@settings(max_examples=50)
@given(parts=st.lists(PARTS, max_size=5))
def test_no_path_leads_out(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    base = tmp_path_factory.mktemp("tree")
    root = base / "root"
    root.mkdir()
    (root / "link").symlink_to("..")
    path = "/".join(parts)
    try:
        Tree(str(root)).put_file(path, [b"x"], 0o644)
    except (OSError, EntryError):
        pass
    assert [name for name in list_all(base) if not name.startswith("root")] == []
