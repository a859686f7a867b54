"""A disk that becomes full while files are put in place: one sentence, each file old or new, and all goes on later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.layout import Layout
from choline_jupyter.agent.small_files import SmallFiles
from choline_jupyter.agent.workspace import Workspace
from choline_jupyter.store.entry import Entry, write_entry
from tests.small_disk import mount_disk

pytestmark = pytest.mark.kernel_feature

SIZE = 300_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An empty disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mount_disk(disk, 1):
        yield disk


def tell(disk: Path, contents: dict[str, bytes]) -> list[dict[str, Any]]:
    entries = [
        write_entry(Entry(path, size=len(content), digest=hashlib.sha256(content).hexdigest(), mtime=1))
        for path, content in contents.items()
    ]
    return [{"root": str(disk), "entries": entries, "removed": []}]


def test_one_sentence_and_nothing_half_done(small_disk: Path, tmp_path: Path) -> None:
    workspace = Workspace(Layout(str(small_disk), str(small_disk)), tmp_path / "index", tmp_path / "blobs", tmp_path)
    old = {"0": b"old" * (SIZE // 3)}
    assert list(workspace.receive(tell(small_disk, old), SmallFiles(memoryview(old["0"])))) == []
    new = {str(number): bytes([number]) * SIZE for number in range(6)}
    [sentence] = workspace.receive(tell(small_disk, new), SmallFiles(memoryview(b"".join(new.values()))))
    placed = {path.name: path.read_bytes() for path in small_disk.iterdir()}
    missing = [name for name in new if placed.get(name) != new[name]]
    assert sentence.startswith(f"{len(missing)} files could not be put in place: the disk of this machine is full")
    assert workspace.unplaced == [str(small_disk / name) for name in missing]
    assert all(placed[name] in (new[name], old.get(name)) for name in placed)
    for name in placed:
        (small_disk / name).unlink()
    some = {name: new[name] for name in missing[:2]}
    workspace.collect()
    assert list(workspace.receive(tell(small_disk, some), SmallFiles(memoryview(b"".join(some.values()))))) == []


def test_a_blob_that_has_no_room_leaves_none_behind(small_disk: Path) -> None:
    blobs = BlobFolder(small_disk / "blobs")
    assert not blobs.put("a" * 64, 0, 10 * SIZE, bytes(SIZE))
    with pytest.raises(OSError, match="No space left"):
        blobs.put("a" * 64, SIZE, 10 * SIZE, bytes(8 * SIZE))
    assert list(blobs.folder.iterdir()) == []
