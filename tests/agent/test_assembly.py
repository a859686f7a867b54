"""What is made of an old version and a delta is right or not there, whatever the delta says."""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.agent.assembly import Assembly
from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.contents import Contents
from choline_jupyter.store.delta import NEW, Range, write_head

OLD = bytes(range(256)) * 8


class Host:
    """A folder with blobs, one of them the old version."""

    def __init__(self, home: Path) -> None:
        self.blobs, self.contents = BlobFolder(home / "blobs"), Contents(home)
        self.assembly = Assembly(self.blobs, self.contents)
        self.base = self.blobs.add([OLD])[0]

    def make(self, new: bytes, delta: bytes, base: str = "") -> bool:
        digest = hashlib.sha256(new).hexdigest()
        answer = asyncio.run(self.assembly.make(digest, base or self.base, self.blobs.add([delta])[0]))
        return bool(answer["whole"]) and self.blobs.find(digest).read_bytes() == new

    def list_blobs(self) -> set[str]:
        return {path.name for path in self.blobs.folder.iterdir()}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_delta_makes_the_new_version_and_is_gone(host: Host) -> None:
    ranges = [Range(100, 50), Range(NEW, 3), Range(0, len(OLD)), Range(NEW, 1)]
    new = OLD[100:150] + b"new" + OLD + b"!"
    assert host.make(new, write_head(ranges) + b"new!")
    assert host.list_blobs() == {host.base, hashlib.sha256(new).hexdigest()}


@pytest.mark.parametrize(
    "delta",
    [
        b"",
        b"x" * 100,
        write_head([Range(0, 5)])[:-1],
        write_head([Range(0, len(OLD) + 1)]),
        write_head([Range(1 << 63, 5)]),
        write_head([Range(NEW, 5)]) + b"four",
        write_head([Range(NEW, 5)]) + b"sixsix",
        write_head([Range(0, 5)])[:-16] + b"y" * 16,
        write_head([])[:-4] + struct.pack(">I", (1 << 32) - 1),
        write_head([Range(0, 5)]),  # whole, but another file
    ],
)
def test_what_is_no_delta_of_it_makes_nothing(host: Host, delta: bytes) -> None:
    before = host.list_blobs()
    with pytest.raises(ValueError, match=r"delta|shorter|different"):
        host.make(b"wanted", delta)
    assert host.list_blobs() - {hashlib.sha256(delta).hexdigest()} == before


@given(delta=st.binary(max_size=120))
def test_no_bytes_make_anything_else(tmp_path_factory: pytest.TempPathFactory, delta: bytes) -> None:
    host = Host(tmp_path_factory.mktemp("host"))
    before = host.list_blobs()
    with pytest.raises(ValueError, match=r"delta|shorter|different"):
        host.make(b"wanted", write_head([Range(0, 1)])[:20] + delta)
    assert not any(name.endswith(".made") for name in host.list_blobs() - before)


def test_an_old_version_that_is_gone_or_changed_is_none(host: Host) -> None:
    with pytest.raises(FileNotFoundError):
        host.make(OLD[::-1], write_head([Range(0, len(OLD))]), "b" * 64)
    host.blobs.find(host.base).write_bytes(os.urandom(len(OLD)))
    with pytest.raises(ValueError, match="different"):
        host.make(OLD[::-1], write_head([Range(0, len(OLD))]))


def test_what_is_missing_and_what_it_can_be_made_of(host: Host, tmp_path: Path) -> None:
    placed = tmp_path / "file"
    placed.write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    host.contents.note(digest, str(placed))
    wanted = [host.base, digest, "c" * 64, "d" * 64]
    found = host.assembly.find_missing(wanted, {"c" * 64: 1}, {"c" * 64: host.base, "d" * 64: "e" * 64})
    assert found == {"missing": dict.fromkeys(wanted[1:], 0), "bases": {digest: digest, "c" * 64: host.base}}
