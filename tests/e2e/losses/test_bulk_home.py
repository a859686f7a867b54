"""Blobs on their way here: once, whole, from where they were cut, and never more than was declared."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.errors import CorruptBlob, HostError, TooLarge
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.bulk import Bulk
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.results import Result, bring, decode, read_results
from choline_jupyter.wire.frame import CHUNK, Type
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import EngineClient
from tests.e2e.losses.tapped_transport import TappedTransport

pytestmark = pytest.mark.e2e


@pytest.fixture
def session(tap: TappedTransport, client: EngineClient) -> LiveSession:
    opened = client.open("bulk")
    client.run(opened, "1")
    return opened


@pytest.fixture
def blobs(home: Isolation) -> BlobFolder:
    """Where the agent of this home has its blobs."""
    return BlobFolder(Path(home.environment["CHOLINE_AGENT_HOME"]) / "blobs")


class Inbox:
    """Blobs of these sizes that are over there, and where they are to come to."""

    def __init__(self, blobs: BlobFolder, folder: Path, *sizes: int) -> None:
        contents = [os.urandom(size) for size in sizes]
        self.contents = {blobs.add([content])[0]: content for content in contents}
        self.files = {digest: folder / f"file-{digest[:8]}" for digest in self.contents}
        self.sizes = {digest: len(content) for digest, content in self.contents.items()}

    def read(self) -> dict[str, bytes]:
        return {digest: path.read_bytes() for digest, path in self.files.items()}


def fetch(
    client: EngineClient,
    session: LiveSession,
    inbox: Inbox,
    progress: Callable[[int], None] = lambda count: None,
    quota: int | None = None,
) -> None:
    client.call(Bulk(session.connection).get(inbox.files, inbox.sizes, progress, quota))


def count_received(tap: TappedTransport) -> int:
    return sum(len(frame.body) for way, frame in tap.log if way == "received" and frame.type is Type.REPLY)


def test_blobs_arrive_once(
    tap: TappedTransport, client: EngineClient, session: LiveSession, blobs: BlobFolder, tmp_path: Path
) -> None:
    inbox = Inbox(blobs, tmp_path, 0, 1, CHUNK, CHUNK + 1, 20 * CHUNK + 7)
    counts: list[int] = []
    fetch(client, session, inbox, counts.append, sum(inbox.sizes.values()))
    assert inbox.read() == inbox.contents
    assert sum(counts) == count_received(tap) == sum(inbox.sizes.values())
    assert len(list(tmp_path.iterdir())) == len(inbox.files)


def test_a_cut_transfer_goes_on(
    tap: TappedTransport, client: EngineClient, session: LiveSession, blobs: BlobFolder, tmp_path: Path
) -> None:
    inbox = Inbox(blobs, tmp_path, 40 * CHUNK)
    pieces: list[int] = []

    def cut(count: int) -> None:
        pieces.append(count)
        if len(pieces) in (5, 15, 25):
            tap.cut()

    fetch(client, session, inbox, cut)
    assert inbox.read() == inbox.contents
    assert sum(pieces) == 40 * CHUNK
    assert count_received(tap) < 80 * CHUNK


def test_an_interrupted_transfer_goes_on_next_time(
    tap: TappedTransport, client: EngineClient, session: LiveSession, blobs: BlobFolder, tmp_path: Path
) -> None:
    inbox = Inbox(blobs, tmp_path, 40 * CHUNK)
    pieces: list[int] = []

    async def interrupt() -> None:
        begun = asyncio.Event()

        def note(count: int) -> None:
            pieces.append(count)
            begun.set()

        task = asyncio.ensure_future(Bulk(session.connection).get(inbox.files, inbox.sizes, note))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    client.call(interrupt())
    [path] = inbox.files.values()
    assert not path.exists()
    fetch(client, session, inbox, pieces.append)
    assert inbox.read() == inbox.contents
    assert sum(pieces) in (39 * CHUNK, 40 * CHUNK)  # one may have been written and not counted


@pytest.mark.parametrize("left", [b"something else", b"x" * 3 * CHUNK], ids=["shorter", "longer"])
def test_what_another_content_has_left_is_replaced(
    client: EngineClient, session: LiveSession, blobs: BlobFolder, tmp_path: Path, left: bytes
) -> None:
    inbox = Inbox(blobs, tmp_path, 2 * CHUNK)
    [path] = inbox.files.values()
    path.with_name(path.name + ".part").write_bytes(left)
    fetch(client, session, inbox)
    assert inbox.read() == inbox.contents


def test_more_than_is_allowed_is_not_asked_for(
    tap: TappedTransport, client: EngineClient, session: LiveSession, blobs: BlobFolder, tmp_path: Path
) -> None:
    inbox = Inbox(blobs, tmp_path, 10, 20)
    with pytest.raises(TooLarge, match="30 bytes would come, 29 are allowed"):
        fetch(client, session, inbox, quota=29)
    assert "FETCH" not in tap.list_types("sent")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("declared", [1, 3 * CHUNK])
def test_a_blob_that_is_not_as_large_as_declared_is_not_kept(
    client: EngineClient, session: LiveSession, blobs: BlobFolder, tmp_path: Path, declared: int
) -> None:
    inbox = Inbox(blobs, tmp_path, 2 * CHUNK)
    inbox.sizes = dict.fromkeys(inbox.sizes, declared)
    with pytest.raises(CorruptBlob, match="announced"):
        fetch(client, session, inbox)
    assert list(tmp_path.iterdir()) == []


def test_a_blob_with_other_bytes_than_its_name_says_is_not_kept(
    client: EngineClient, session: LiveSession, blobs: BlobFolder, tmp_path: Path
) -> None:
    inbox = Inbox(blobs, tmp_path, 100)
    [digest] = inbox.files
    blobs.find(digest).write_bytes(os.urandom(100))
    with pytest.raises(CorruptBlob):
        fetch(client, session, inbox)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_said(client: EngineClient, session: LiveSession, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"never made").hexdigest()
    with pytest.raises(HostError, match="not on that machine"):
        client.call(Bulk(session.connection).get({digest: tmp_path / "x"}, {digest: 10}))


def test_nothing_but_blobs_can_be_fetched(client: EngineClient, session: LiveSession, blobs: BlobFolder) -> None:
    """A name that is no digest ends the channel on which it came, and nothing else."""
    client.post(session.connection.send, Type.FETCH, {"id": 99, "blob": "../supervisor.log", "offset": 0, "count": 10})
    assert client.evaluate(session, "1 + 1") == "2"


def test_a_blob_that_has_arrived_goes(client: EngineClient, session: LiveSession, blobs: BlobFolder) -> None:
    digest, _ = blobs.add([b"arrived"])
    client.call(session.connection.request(Type.DROP, {"blob": digest}))
    assert not blobs.find(digest).exists()


def ask(client: EngineClient, session: LiveSession, name: str) -> Result:
    """What a session says of one of its names."""
    job = JobRow(make_identifier("j"), session.row.id)
    client.post(session.run, job, "", {"msg_id": job.id, "out": [name]})
    [result] = read_results(client.finish(session, job.id), [name])
    return result


def test_a_variable_whose_download_is_interrupted_goes_on_with_the_next_get(
    tap: TappedTransport, client: EngineClient, session: LiveSession, blobs: BlobFolder, tmp_path: Path
) -> None:
    client.run(session, f"import os; x = os.urandom({20 * CHUNK})")
    first = ask(client, session, "x")

    async def interrupt() -> None:
        begun = asyncio.Event()
        task = asyncio.ensure_future(bring(session, first, tmp_path, lambda count: begun.set()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    client.call(interrupt())
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    pieces: list[int] = []
    parts = client.call(bring(session, ask(client, session, "x"), tmp_path, pieces.append))
    assert sum(pieces) <= 20 * CHUNK  # the description's few bytes make it one piece more
    assert client.evaluate(session, "import hashlib; hashlib.sha256(x).hexdigest()") == repr(
        hashlib.sha256(decode("x", parts)).hexdigest()
    )
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_over_there_is_said(client: EngineClient, session: LiveSession, blobs: BlobFolder) -> None:
    blobs.find("0" * 64).parent.mkdir(exist_ok=True)
    client.run(session, "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 22, -1)); x = bytes(1 << 23)")
    assert ask(client, session, "x").failure == "x stays there: that machine says File too large."
    assert ask(client, session, "nothing").failure == "There is no nothing in the session."
