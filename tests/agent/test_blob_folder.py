"""Blobs: whole under their digest or not there, whatever pieces come in whatever order."""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.agent.blob_folder import BlobFolder

DATA = b"some bytes that are sent in pieces"
DIGEST = hashlib.sha256(DATA).hexdigest()


def put(folder: BlobFolder, start: int, end: int) -> bool:
    return folder.put(DIGEST, start, len(DATA), DATA[start:end])


@given(cuts=st.lists(st.integers(0, len(DATA) - 1), max_size=6))
def test_pieces_make_a_whole(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    folder = BlobFolder(tmp_path_factory.mktemp("blobs"))
    places = [0, *sorted(cuts), len(DATA)]
    for start, end in itertools.pairwise(places):
        if end < len(DATA):
            assert not put(folder, start, end)
            assert folder.find_missing([DIGEST]) == {DIGEST: end}
    assert put(folder, places[-2], len(DATA))
    assert folder.find(DIGEST).read_bytes() == DATA
    assert folder.find_missing([DIGEST]) == {}


def test_a_piece_that_comes_again_changes_nothing(tmp_path: Path) -> None:
    folder = BlobFolder(tmp_path)
    for start, end in ((0, 20), (10, 20), (20, len(DATA)), (20, len(DATA)), (0, 5)):
        put(folder, start, end)
    assert folder.find(DIGEST).read_bytes() == DATA


def test_a_damaged_blob_gets_no_name(tmp_path: Path) -> None:
    folder = BlobFolder(tmp_path)
    with pytest.raises(ValueError, match="damaged"):
        folder.put(DIGEST, 0, len(DATA), DATA[::-1])
    assert list(tmp_path.iterdir()) == []
    assert folder.find_missing([DIGEST]) == {DIGEST: 0}


def test_an_empty_blob(tmp_path: Path) -> None:
    assert BlobFolder(tmp_path).put(hashlib.sha256(b"").hexdigest(), 0, 0, b"")


@pytest.mark.parametrize("name", ["", "..", "../x", "A" * 64, "a" * 63, "a" * 64 + "\n", "a" * 64 + ".part"])
def test_only_digests_are_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        BlobFolder(tmp_path).find(name)


def test_removed(tmp_path: Path) -> None:
    folder = BlobFolder(tmp_path)
    put(folder, 0, len(DATA))
    folder.remove(DIGEST)
    folder.remove(DIGEST)
    assert folder.find_missing([DIGEST]) == {DIGEST: 0}


@given(pieces=st.lists(st.binary(max_size=20), max_size=5), offset=st.integers(0, 120), count=st.integers(0, 120))
def test_what_is_added_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], offset: int, count: int
) -> None:
    folder, whole = BlobFolder(tmp_path_factory.mktemp("blobs")), b"".join(pieces)
    digest, size = folder.add(pieces)
    assert (digest, size) == (hashlib.sha256(whole).hexdigest(), len(whole))
    assert folder.read(digest, offset, count) == (whole[offset : offset + count], size)


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        BlobFolder(tmp_path).add(b"x" if number else bytes(1 // number) for number in (1, 0))
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = BlobFolder(tmp_path)
    folder.find(DIGEST).symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        folder.read(DIGEST, 0, 10)


def test_what_nobody_uses_goes_with_time(tmp_path: Path) -> None:
    folder = BlobFolder(tmp_path / "blobs")
    folder.sweep(0)
    old, _ = folder.add([b"old"])
    new, _ = folder.add([b"new"])
    os.utime(folder.find(old), (0, 0))
    folder.sweep(60)
    assert not folder.find(old).exists()
    assert folder.find(new).exists()
