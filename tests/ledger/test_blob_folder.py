"""Large records in files named by their contents."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from choline_jupyter.ledger.blob_folder import BlobFolder


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_bytes_come_back(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path / "blobs")
    digest = blobs.save(b"some bytes")
    assert digest == hashlib.sha256(b"some bytes").hexdigest()
    assert blobs.load(digest) == b"some bytes"
    path = tmp_path / "blobs" / digest[:2] / digest[2:]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    assert blobs.save(b"same") == blobs.save(b"same")
    assert len(files_below(tmp_path)) == 1


def test_changed_bytes_are_not_returned(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    digest = blobs.save(b"right")
    files_below(tmp_path)[0].write_bytes(b"wrong")
    with pytest.raises(ValueError, match="changed"):
        blobs.load(digest)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        BlobFolder(tmp_path).save(b"too much")
    assert files_below(tmp_path) == []


def test_a_sweep_keeps_what_is_named(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    kept, lost = blobs.save(b"kept"), blobs.save(b"lost")
    blobs.sweep({kept})
    assert blobs.has(kept)
    assert not blobs.has(lost)


def test_a_sweep_deletes_abandoned_halves_only(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    kept = blobs.save(b"kept")
    old, new = tmp_path / kept[:2] / ".old", tmp_path / kept[:2] / ".new"
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    blobs.sweep({kept})
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_is_not_there_is_swept(tmp_path: Path) -> None:
    BlobFolder(tmp_path / "none").sweep(set())
