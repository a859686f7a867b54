"""Parcels: what is read is one version, and what is large goes by itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from choline_jupyter.session import file_parcel
from choline_jupyter.session.file_grant import Offered
from choline_jupyter.session.file_parcel import pack_files
from choline_jupyter.wire.frame import CHUNK


def offer(path: Path, data: bytes) -> Offered:
    path.write_bytes(data)
    return Offered(str(path), "f", 0o640, len(data), 0, source=str(path))


def test_small_files_are_in_the_frame(tmp_path: Path) -> None:
    parcel = pack_files(
        [offer(tmp_path / "a", b"one"), offer(tmp_path / "b", b""), offer(tmp_path / "c", b"two")], tmp_path
    )
    assert parcel.body == b"onetwo"
    assert [entry["size"] for entry in parcel.head["entries"]] == [3, 0, 3]
    assert parcel.blobs == {}
    assert parcel.digests[str(tmp_path / "a")] == hashlib.sha256(b"one").hexdigest()


def test_many_small_ones_are_one_blob(tmp_path: Path) -> None:
    data = [os.urandom(CHUNK // 2) for _ in range(3)]
    parcel = pack_files([offer(tmp_path / str(n), one) for n, one in enumerate(data)], tmp_path)
    assert parcel.body == b""
    assert parcel.blobs[parcel.head["pack"]].read_bytes() == b"".join(data)


def test_a_large_one_is_a_blob_of_its_own(tmp_path: Path) -> None:
    data = os.urandom(CHUNK + 1)
    parcel = pack_files([offer(tmp_path / "large", data), offer(tmp_path / "small", b"x")], tmp_path)
    digest = hashlib.sha256(data).hexdigest()
    assert parcel.blobs == {digest: tmp_path / "large"}
    assert parcel.head["entries"][0]["blob"] == digest
    assert parcel.body == b"x"


def test_what_has_grown_since_it_was_found_is_as_it_is_now(tmp_path: Path) -> None:
    one = offer(tmp_path / "a", b"short")
    (tmp_path / "a").write_bytes(b"longer than before")
    assert pack_files([one], tmp_path).head["entries"][0]["size"] == 18


def test_what_never_stands_still_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = offer(tmp_path / "a", b"")
    read = file_parcel._read

    def read_and_append(file: object, is_small: bool) -> object:
        with (tmp_path / "a").open("ab") as growing:
            growing.write(b"x")
        return read(file, is_small)  # type: ignore[arg-type]

    monkeypatch.setattr(file_parcel, "_read", read_and_append)
    with pytest.raises(OSError, match="changes while it is read"):
        pack_files([one], tmp_path)


def test_a_link_that_has_taken_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    one = offer(tmp_path / "a", b"x")
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match=r"symbolic link|Too many levels"):
        pack_files([one], tmp_path)
