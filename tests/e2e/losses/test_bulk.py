"""Bulk bytes: on a channel of their own, once, whole, and from where they were cut."""

from __future__ import annotations

import asyncio
import hashlib
import os
import zlib
from pathlib import Path

import pytest

from choline_jupyter.errors import HostError
from choline_jupyter.session import window
from choline_jupyter.session.bulk import Bulk
from choline_jupyter.wire.frame import CHUNK, Type
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import EngineClient
from tests.e2e.losses.tapped_transport import TappedTransport

pytestmark = pytest.mark.e2e


def write_files(folder: Path, *sizes: int) -> dict[str, Path]:
    """Files of random bytes by their digests."""
    files = {}
    for number, size in enumerate(sizes):
        path = folder / f"file-{number}"
        path.write_bytes(os.urandom(size))
        files[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    return files


def read_blobs(home: Isolation) -> dict[str, bytes]:
    folder = Path(home.environment["CHOLINE_AGENT_HOME"]) / "blobs"
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def count_sent(tap: TappedTransport) -> int:
    return sum(len(frame.body) for way, frame in tap.log if way == "sent" and frame.type is Type.BLOB)


def test_files_arrive_once(tap: TappedTransport, client: EngineClient, home: Isolation, tmp_path: Path) -> None:
    session = client.open("bulk")
    client.run(session, "1")
    files = write_files(tmp_path, 0, 1, CHUNK, CHUNK + 1, 20 * CHUNK + 7)
    counts: list[int] = []
    client.call(Bulk(session.connection).put(files, counts.append))
    expected = {digest: path.read_bytes() for digest, path in files.items()}
    assert read_blobs(home) == expected
    assert sum(counts) == count_sent(tap) == sum(map(len, expected.values()))
    tap.log.clear()
    client.call(Bulk(session.connection).put(files))
    assert count_sent(tap) == 0


def test_output_does_not_wait_for_them(tap: TappedTransport, client: EngineClient, tmp_path: Path) -> None:
    session = client.open("bulk")
    client.run(session, "1")
    [(digest, path)] = write_files(tmp_path, 64 * CHUNK).items()
    results: list[str] = []

    async def put() -> None:
        await Bulk(session.connection).put({digest: path}, lambda count: results.append("chunk"))

    client.post(lambda: asyncio.ensure_future(put()))
    while results.count("chunk") < 4:
        assert client.evaluate(session, "1 + 1") == "2"
    assert client.evaluate(session, "2 + 2") == "4"
    client.call(Bulk(session.connection).put({digest: path}))


def test_a_cut_transfer_goes_on(tap: TappedTransport, client: EngineClient, home: Isolation, tmp_path: Path) -> None:
    session = client.open("bulk")
    client.run(session, "1")
    files = write_files(tmp_path, 40 * CHUNK)
    cuts: list[int] = []

    def cut(count: int) -> None:
        cuts.append(count)
        if len(cuts) in (5, 15, 25):
            tap.cut()

    client.call(Bulk(session.connection).put(files, cut))
    assert read_blobs(home) == {digest: path.read_bytes() for digest, path in files.items()}
    assert count_sent(tap) < 80 * CHUNK


def test_a_transfer_that_another_has_begun_goes_on(
    tap: TappedTransport, client: EngineClient, home: Isolation, tmp_path: Path
) -> None:
    session = client.open("bulk")
    client.run(session, "1")
    [(digest, path)] = write_files(tmp_path, 10 * CHUNK).items()
    begun = Path(home.environment["CHOLINE_AGENT_HOME"]) / "blobs" / f"{digest}.part"
    begun.parent.mkdir()
    begun.write_bytes(path.read_bytes()[: 7 * CHUNK])
    client.call(Bulk(session.connection).put({digest: path}))
    assert count_sent(tap) == 3 * CHUNK
    begun.parent.joinpath(digest).unlink()
    begun.write_bytes(os.urandom(7 * CHUNK))  # damaged on that machine's disk
    client.call(Bulk(session.connection).put({digest: path}))
    assert read_blobs(home) == {digest: path.read_bytes()}


@pytest.mark.parametrize("is_slow", [False, True])
def test_packs_arrive_once_compressed_on_a_slow_link(
    tap: TappedTransport, client: EngineClient, home: Isolation, monkeypatch: pytest.MonkeyPatch, *, is_slow: bool
) -> None:
    monkeypatch.setattr(window, "_SLOW", float("inf") if is_slow else 0.0)
    session = client.open("bulk")
    client.run(session, "1")
    packs = [bytes([number]) * (CHUNK - number) for number in range(12)] + [os.urandom(CHUNK), b"", b"x"]
    counts: list[int] = []
    client.call(Bulk(session.connection).put_packs(iter(packs), counts.append))
    assert read_blobs(home) == {hashlib.sha256(pack).hexdigest(): pack for pack in packs}
    assert sum(counts) == sum(map(len, packs))
    assert (count_sent(tap) < 6 * CHUNK) == is_slow
    tap.log.clear()
    client.call(Bulk(session.connection).put_packs(iter(packs), counts.append))
    assert count_sent(tap) == 0
    assert sum(counts) == 2 * sum(map(len, packs))


@pytest.mark.parametrize(("body", "length"), [(b"no zlib", 7), (zlib.compress(b"x" * 100), 99), (b"", CHUNK + 1)])
def test_a_chunk_that_is_not_what_it_says_is_refused(
    client: EngineClient, home: Isolation, body: bytes, length: int
) -> None:
    session = client.open("bulk")
    client.run(session, "1")
    head = {"blob": "a" * 64, "offset": 0, "size": 100, "length": length}
    with pytest.raises(HostError, match="a chunk"):
        client.call(session.connection.request(Type.BLOB, head, body))
    assert read_blobs(home) == {}
