"""The hub: one commit, pages, digests that it knows, and a token that goes to no other host; real servers."""

from __future__ import annotations

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.agent.contents import Contents
from choline_jupyter.agent.dataset.fault import DownloadFault
from choline_jupyter.agent.dataset.main import bring
from tests.net.data_server import DataServer, File, Request

COMMIT = "1234567890" * 4
LARGE = random.Random(5).randbytes(200_000)
LFS = hashlib.sha256(LARGE).hexdigest()
TOKEN = "hf_abcdefgh"
REPOSITORY = "/datasets/o/n"


class Hub:
    """A repository with a small and a large file, the latter on another host, listed on two pages."""

    def __init__(self, server: DataServer, storage: DataServer, home: Path) -> None:
        self.server, self.storage, self.home = server, storage, home
        api = f"/api{REPOSITORY}"
        server.put(f"{api}/revision/main", json.dumps({"sha": COMMIT}).encode())
        server.put(f"{api}/revision/v1%2Fa", json.dumps({"sha": COMMIT}).encode())
        pages = [
            [{"type": "directory", "path": "data"}, {"type": "file", "path": "README.md", "size": 5, "oid": "a" * 40}],
            [{"type": "file", "path": "data/a b.bin", "size": len(LARGE), "oid": "b", "lfs": {"oid": LFS}}],
        ]
        link = f'<{server.address}{api}/tree/{COMMIT}/next>; rel="next"'
        server.put(f"{api}/tree/{COMMIT}", json.dumps(pages[0]).encode(), headers={"Link": link})
        server.put(f"{api}/tree/{COMMIT}/next", json.dumps(pages[1]).encode())
        server.put(f"{api}/tree/{COMMIT}/data", json.dumps(pages[1]).encode())
        server.put(f"{REPOSITORY}/resolve/{COMMIT}/README.md", b"hello")
        headers = {"X-Linked-Etag": f'"{LFS}"', "X-Repo-Commit": COMMIT}
        location = f"{storage.address}/blob?signature=x"
        server.files[f"{REPOSITORY}/resolve/{COMMIT}/data/a%20b.bin"] = File(headers=headers, location=location)
        storage.put("/blob", LARGE)

    def bring(self, url: str, **secrets: str) -> list[Any]:
        order = {
            "home": str(self.home),
            "url": url,
            "settings": {"HF_ENDPOINT": self.server.address},
            "secrets": secrets,
        }
        return list(bring(order, lambda _: None)["files"])

    def read(self, digest: str) -> bytes:
        with os.fdopen(Contents(self.home).open(digest), "rb") as file:
            return file.read()


@pytest.fixture
def hub(server: DataServer, other: DataServer, tmp_path: Path) -> Hub:
    return Hub(server, other, tmp_path)


@pytest.mark.parametrize("revision", ["", "@main", "@v1%2Fa", f"@{COMMIT}"])
def test_a_file_of_a_revision(hub: Hub, revision: str) -> None:
    [[name, digest, size, _]] = hub.bring(f"hf://datasets/o/n{revision}/data/a b.bin")
    assert (name, digest, size) == ("", LFS, len(LARGE))
    assert hub.read(digest) == LARGE


def test_a_whole_repository_over_all_pages(hub: Hub) -> None:
    files = hub.bring("hf://datasets/o/n")
    assert [(name, size) for name, _, size, _ in files] == [("README.md", 5), ("data/a b.bin", len(LARGE))]
    assert [hub.read(digest) for _, digest, _, _ in files] == [b"hello", LARGE]


def test_a_folder_of_a_repository(hub: Hub) -> None:
    assert [name for name, *_ in hub.bring("hf://datasets/o/n/data/")] == ["a b.bin"]


def test_a_commit_that_is_here_is_not_asked_for_again(hub: Hub) -> None:
    hub.bring(f"hf://datasets/o/n@{COMMIT}/README.md")
    hub.server.log.clear()
    hub.bring(f"hf://datasets/o/n@{COMMIT}/README.md")
    assert hub.server.log == []
    hub.bring("hf://datasets/o/n/README.md")
    assert [request.path for request in hub.server.log] == [f"/api{REPOSITORY}/revision/main"]


def test_a_large_file_is_known_by_the_digest_that_the_hub_tells(hub: Hub) -> None:
    hub.storage.put("/blob", LARGE[:-1] + b"!")
    with pytest.raises(DownloadFault, match=f"and not {LFS}"):
        hub.bring("hf://datasets/o/n/data/a b.bin")
    with pytest.raises(DownloadFault, match=f"and not {LFS}"):
        hub.bring("hf://datasets/o/n")


def test_a_token_goes_to_the_hub_and_to_no_other_host(hub: Hub) -> None:
    def guard(request: Request) -> int:
        return 0 if request.headers["Authorization"] == f"Bearer {TOKEN}" else 401

    hub.server.guard = guard
    with pytest.raises(DownloadFault, match=r"not there, or not for everybody \(401\)") as caught:
        hub.bring("hf://datasets/o/n")
    assert "--secret HF_TOKEN" in caught.value.hint
    with pytest.raises(DownloadFault) as caught:
        hub.bring("hf://datasets/o/n", HF_TOKEN="wrong")
    assert "what the token may read" in caught.value.hint
    assert hub.bring("hf://datasets/o/n", HF_TOKEN=TOKEN)
    assert hub.storage.count("/blob") == 1
    assert [request.headers["Authorization"] for request in hub.storage.log] == [None]


def test_a_next_page_on_another_host_gets_no_token(hub: Hub) -> None:
    page = hub.server.files[f"/api{REPOSITORY}/tree/{COMMIT}"]
    page.headers["Link"] = f'<{hub.storage.address}/page>; rel="next"'
    hub.storage.put("/page", b"[]")
    hub.bring("hf://datasets/o/n", HF_TOKEN=TOKEN)
    [request] = hub.storage.log
    assert request.headers["Authorization"] is None


def test_a_token_with_a_line_end_is_refused_and_not_shown(hub: Hub) -> None:
    with pytest.raises(DownloadFault, match="characters that no key has") as caught:
        hub.bring("hf://datasets/o/n", HF_TOKEN=f"{TOKEN}\nX: y")
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("hf://datasets/o/n@gone/x", "datasets/o/n has no x in its revision gone"),
        ("hf://datasets/o/n@gone", "datasets/o/n has no revision gone"),
        ("hf://datasets/o/n/gone.csv", "datasets/o/n has no gone.csv in its revision main"),
    ],
)
def test_what_is_not_there(hub: Hub, url: str, what: str) -> None:
    with pytest.raises(DownloadFault, match=what):
        hub.bring(url)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "", 5])
def test_a_name_that_leads_out_is_refused(hub: Hub, path: Any) -> None:
    listing = json.dumps([{"type": "file", "path": path, "size": 1}]).encode()
    hub.server.put(f"/api{REPOSITORY}/tree/{COMMIT}", listing)
    with pytest.raises(DownloadFault, match="name cannot be written"):
        hub.bring("hf://datasets/o/n")


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"sha": 5}', b'{"sha": "main"}'])
def test_what_does_not_speak_as_the_hub_does(hub: Hub, answer: bytes) -> None:
    hub.server.put(f"/api{REPOSITORY}/revision/main", answer)
    with pytest.raises(DownloadFault, match=r"which commit|speak as the hub"):
        hub.bring("hf://datasets/o/n")
