"""Downloads: whole or not at all, from where they were cut, once for all who want them; real servers, a real disk."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.agent.contents import Contents
from choline_jupyter.agent.dataset.catalog import Catalog, Known
from choline_jupyter.agent.dataset.download import Download, Found
from choline_jupyter.agent.dataset.fault import DownloadFault
from choline_jupyter.agent.dataset.main import make_source
from choline_jupyter.model.dataset import read_address
from tests.net.data_server import PIECE, DataServer, File

SIZE = 12 * PIECE + 5
DATA = random.Random(3).randbytes(SIZE)
OTHER = random.Random(4).randbytes(SIZE)
DIGEST = hashlib.sha256(DATA).hexdigest()


class Machine:
    """A machine's folder, and what is downloaded into it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.pauses: list[float] = []
        self.progress = 0

    def download(self, url: str, wait: Callable[[int], None] = lambda _: None, **secrets: str) -> Found:
        source = make_source(read_address(url), {}, secrets)
        [item] = source.list_items()
        return Download(self.home, source, item, self._note, self.pauses.append).run(wait)

    def read(self, digest: str) -> bytes:
        with os.fdopen(Contents(self.home).open(digest), "rb") as file:
            return file.read()

    def list_left(self) -> list[str]:
        """What lies beside the catalog's own rows: parts, and blobs."""
        folders = (self.home / "datasets", self.home / "blobs")
        paths = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
        return sorted(path.suffix or path.name for path in paths if path.suffix not in (".json", ".lock"))

    def _note(self, count: int, total: int) -> None:
        self.progress += count


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_file_is_downloaded_once(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", DATA, headers={"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"})
    first = machine.download(f"{server.address}/x.bin")
    assert first == Found(
        Known(DIGEST, SIZE, server.files["/x.bin"].etag, "Wed, 21 Oct 2015 07:28:00 GMT", 1445412480 * 10**9), True
    )
    assert machine.read(DIGEST) == DATA
    assert machine.progress == SIZE
    assert machine.list_left() == [DIGEST]
    assert machine.download(f"{server.address}/x.bin") == first._replace(is_new=False)
    assert server.count_sent() == SIZE
    assert server.log[1].headers["If-None-Match"] == first.known.etag


def test_what_has_changed_on_its_server_comes_anew(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", DATA)
    machine.download(f"{server.address}/x.bin")
    server.put("/x.bin", OTHER)
    assert machine.read(machine.download(f"{server.address}/x.bin").known.sha256) == OTHER


def test_what_is_gone_from_this_machine_comes_anew(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", DATA)
    machine.download(f"{server.address}/x.bin")
    (machine.home / "blobs" / DIGEST).unlink()
    assert machine.download(f"{server.address}/x.bin").is_new
    assert machine.read(DIGEST) == DATA


def test_a_digest_that_is_here_needs_no_server(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", DATA)
    machine.download(f"{server.address}/x.bin")
    server.log.clear()
    found = machine.download(f"{server.address}/elsewhere.bin#sha256={DIGEST}")
    assert (found.known.sha256, found.known.size, found.is_new) == (DIGEST, SIZE, False)
    assert server.log == []


def test_a_download_that_is_cut_goes_on(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", DATA, cuts=[5 * PIECE, 3 * PIECE, 1])
    assert machine.download(f"{server.address}/x.bin").known.sha256 == DIGEST
    assert server.count_sent() == SIZE
    assert [request.headers["Range"] for request in server.log] == [
        None, f"bytes={5 * PIECE}-", f"bytes={8 * PIECE}-", f"bytes={8 * PIECE + 1}-",
    ]  # fmt: skip
    assert {request.headers["If-Range"] for request in server.log[1:]} == {server.files["/x.bin"].etag}
    assert len(machine.pauses) == 3


def test_a_later_process_goes_on_where_one_was_killed(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", DATA, cuts=[7 * PIECE, *[0] * 6])
    with pytest.raises(DownloadFault, match="cut") as caught:
        machine.download(f"{server.address}/x.bin")
    assert "The 0.5 MB that have come are kept" in caught.value.hint
    assert machine.list_left() == [".part", ".version"]
    later = Machine(machine.home)
    assert later.download(f"{server.address}/x.bin").known.sha256 == DIGEST
    assert server.count_sent() == SIZE
    assert later.progress == SIZE


def test_what_had_come_of_an_older_version_is_thrown_away(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", OTHER, cuts=[7 * PIECE, *[0] * 6])
    with pytest.raises(DownloadFault):
        machine.download(f"{server.address}/x.bin")
    server.put("/x.bin", DATA)
    assert machine.read(machine.download(f"{server.address}/x.bin").known.sha256) == DATA
    assert machine.list_left() == [DIGEST]


@pytest.mark.parametrize("kind", ["no ranges", "no tag", "a weak tag", "too short now"])
def test_without_a_way_to_go_on_it_begins_anew(machine: Machine, server: DataServer, kind: str) -> None:
    file = server.put("/x.bin", DATA, cuts=[7 * PIECE], has_ranges=kind != "no ranges")
    file.etag = {"no tag": "", "a weak tag": 'W/"1"'}.get(kind, file.etag)
    if kind == "too short now":
        file.cuts += [0] * 6
        with pytest.raises(DownloadFault):
            machine.download(f"{server.address}/x.bin")
        file.data, file.cuts = DATA[: 6 * PIECE], []
        assert machine.download(f"{server.address}/x.bin").known.size == 6 * PIECE
    else:
        assert machine.download(f"{server.address}/x.bin").known.sha256 == DIGEST
        assert machine.progress == SIZE


def test_with_a_digest_it_goes_on_without_a_tag(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", DATA, cuts=[7 * PIECE]).etag = ""
    assert machine.download(f"{server.address}/x.bin#sha256={DIGEST}").known.sha256 == DIGEST
    assert server.count_sent() == SIZE


def test_another_content_than_the_digest_says_is_not_kept(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", OTHER)
    with pytest.raises(DownloadFault, match=f"and not {DIGEST}"):
        machine.download(f"{server.address}/x.bin#sha256={DIGEST}")
    assert machine.list_left() == []


def test_a_size_that_nobody_knows_is_no_obstacle(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", DATA, has_length=False)
    assert machine.download(f"{server.address}/x.bin").known.sha256 == DIGEST


def test_an_empty_file_is_a_file(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", b"")
    assert machine.read(machine.download(f"{server.address}/x.bin").known.sha256) == b""


@pytest.mark.parametrize(
    ("status", "what", "hint"),
    [
        (404, "has nothing there", "Look at the address"),
        (403, "not give it to everybody", "--secret"),
        (418, "answers 418", "Look at the address"),
    ],
)
def test_a_refusal_is_final(machine: Machine, server: DataServer, status: int, what: str, hint: str) -> None:
    server.put("/x.bin", DATA, status=status)
    with pytest.raises(DownloadFault, match=what) as caught:
        machine.download(f"{server.address}/x.bin?signature=hidden")
    assert hint in caught.value.hint
    assert "hidden" not in f"{caught.value}{caught.value.hint}"
    assert machine.pauses == []


def test_a_busy_server_is_asked_again_when_it_says_so(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", DATA, status=503, refusals=2, headers={"Retry-After": "7"})
    assert machine.download(f"{server.address}/x.bin").known.sha256 == DIGEST
    assert machine.pauses == [7.0, 7.0]


def test_a_server_that_stays_busy_is_given_up(machine: Machine, server: DataServer) -> None:
    server.put("/x.bin", DATA, status=429)
    with pytest.raises(DownloadFault, match="answers 429"):
        machine.download(f"{server.address}/x.bin")
    assert machine.pauses == [0.5, 1.0, 2.0, 4.0]


def test_a_machine_without_a_way_there_says_so(machine: Machine, server: DataServer) -> None:
    server.close()
    with pytest.raises(DownloadFault, match="cannot be reached from that machine: Connection refused") as caught:
        machine.download(f"{server.address}/x.bin")
    assert "--with FILE" in caught.value.hint


def test_a_full_disk_is_found_before_anything_comes(machine: Machine, server: DataServer) -> None:
    file = server.put("/x.bin", DATA, has_length=False)
    file.headers["Content-Length"] = str(1 << 43)
    with pytest.raises(DownloadFault, match=r"disk of that machine is full: 8796\.09 GB are to come"):
        machine.download(f"{server.address}/x.bin")
    assert ".part" not in machine.list_left()


def test_redirects_are_followed_but_not_for_ever(machine: Machine, server: DataServer, other: DataServer) -> None:
    server.files["/x.bin"] = server.files["/y.bin"] = _lead(f"{other.address}/z.bin")
    other.put("/z.bin", DATA)
    assert machine.download(f"{server.address}/x.bin").known.sha256 == DIGEST
    other.files["/z.bin"] = _lead(f"{server.address}/y.bin")
    with pytest.raises(DownloadFault, match="leads from one address to the next"):
        machine.download(f"{server.address}/x.bin")


@pytest.mark.parametrize("target", ["http://example.org/x", "ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_a_redirect_does_not_lead_out_of_encryption(machine: Machine, server: DataServer, target: str) -> None:
    server.files["/x.bin"] = _lead(target)
    with pytest.raises(DownloadFault, match="it would come over"):
        machine.download(f"{server.address}/x.bin")


def test_who_comes_second_waits_and_finds_it(machine: Machine, server: DataServer) -> None:
    gate, has_waited = threading.Event(), threading.Event()
    server.put("/x.bin", DATA, gate=gate, gate_at=4 * PIECE)
    sizes: list[int] = []

    def wait(size: int) -> None:
        sizes.append(size)
        has_waited.set()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(machine.download, f"{server.address}/x.bin")
        server.waiting.wait()
        second = pool.submit(Machine(machine.home).download, f"{server.address}/x.bin", wait)
        has_waited.wait()
        gate.set()
        assert first.result().is_new
        assert not second.result().is_new
    assert server.count_sent() == SIZE
    assert all(0 <= size <= SIZE for size in sizes)


def test_what_nobody_asks_for_any_more_is_forgotten(machine: Machine, server: DataServer, tmp_path: Path) -> None:
    server.put("/old.bin", DATA, cuts=[PIECE, *[0] * 6])
    with pytest.raises(DownloadFault):
        machine.download(f"{server.address}/old.bin")
    [lock] = (tmp_path / "datasets").glob("*.lock")
    Catalog(tmp_path).sweep()
    assert ".part" in machine.list_left()
    _age(lock)
    with Catalog(tmp_path).take_turn(f"{server.address}/old.bin", lambda _: None):
        _age(lock)
        Catalog(tmp_path).sweep()  # it is being downloaded just now
        assert ".part" in machine.list_left()
    _age(lock)
    Catalog(tmp_path).sweep()
    assert machine.list_left() == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '["x", 1, "", "", 0]', '["' + "a" * 64 + '", -1, "", "", 0]', "\0"])
def test_a_damaged_row_is_none(tmp_path: Path, text: str) -> None:
    catalog: Any = Catalog(tmp_path)
    (tmp_path / "datasets").mkdir()
    catalog._name("x", "json").write_text(text)
    assert catalog.find("x") is None


def _lead(target: str) -> File:
    return File(location=target)


def _age(path: Path) -> None:
    os.utime(path, (0, 0))
