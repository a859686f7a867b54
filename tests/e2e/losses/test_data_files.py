"""Large files on a machine: what has changed goes, once for all sessions, whole or not at all, and lies there once."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, cast

import pytest

from choline_jupyter.errors import HostError
from choline_jupyter.model.event import Event
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.bulk import Bulk
from choline_jupyter.session.cargo import Cargo, Packed
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.project import describe_files
from choline_jupyter.session.spec import SessionSpec
from choline_jupyter.store.chunks import CHUNKED
from choline_jupyter.store.entry import SMALL
from choline_jupyter.wire.frame import CHUNK, Type
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import EngineClient, read_result
from tests.e2e.losses.tapped_transport import TappedTransport
from tests.namespaces import needs_namespaces

pytestmark = [pytest.mark.e2e, needs_namespaces]

HASH = "__import__('hashlib').sha256(open('data.bin', 'rb').read()).hexdigest()"
SIZE = 2 * CHUNKED


class Project:
    """A folder with one large file, for sessions that have none of this machine's files."""

    def __init__(self, home: Isolation, client: EngineClient, tap: TappedTransport) -> None:
        self.folder = home.folder / "project"
        self.folder.mkdir()
        self.data = self.folder / "data.bin"
        self.data.write_bytes(random.Random(1).randbytes(SIZE))
        self._agent = Path(home.environment["CHOLINE_AGENT_HOME"])
        self._client, self._tap = client, tap

    def open(self, name: str = "files", **wish: Any) -> LiveSession:
        files = {**describe_files(self.folder, is_isolated=True), "hidden": [str(self.folder)], **wish}
        spec = SessionSpec(name, directory=str(self.folder), files=files)
        return self._client.call(self._client.engine.open(spec))

    def run(self, session: LiveSession, code: str = HASH) -> list[Event]:
        """A cell that needs the file."""
        shipment = session.files.sync.plan({str(self.data): self.data.stat()})
        packed = Packed({})
        if not shipment.is_empty:
            packed = Cargo(shipment=shipment).send(cast("Any", self._client), session)
        job = JobRow(make_identifier("j"), session.row.id)
        header = {"msg_id": job.id, "count": 1, "allow_stdin": False, **packed.header}
        self._client.post(session.run, job, code, header, packed.extra)
        return self._client.finish(session, job.id)

    def bring_home(self, session: LiveSession) -> None:
        """All that cells have written."""
        self._client.call(session.finish_fetches())

    def has_arrived(self, session: LiveSession) -> bool:
        """Whether a cell reads what is here."""
        return read_result(self.run(session)) == repr(self.find_digest(session))

    def find_digest(self, session: LiveSession) -> str:
        """Of what is here."""
        return session.files.sync._scan.hash(str(self.data))[0]

    def change(self, count: int = 5000) -> None:
        """Some bytes are other ones, some come in between; the file is replaced."""
        data = bytearray(self.data.read_bytes())
        at = random.Random(count).randrange(len(data) - count)
        data[at : at + count] = os.urandom(count)
        (self.folder / "next").write_bytes(b"some bytes more" + data)
        (self.folder / "next").replace(self.data)

    def count_sent(self) -> int:
        """Bytes of blobs, from now on, or the last time."""
        sent = sum(len(frame.body) for way, frame in self._tap.log if way == "sent" and frame.type is Type.BLOB)
        self._tap.log.clear()
        return sent

    def list_large(self) -> list[Path]:
        """The files over there that are not small."""
        found = [path for path in self._agent.rglob("*") if path.is_file() and not path.is_symlink()]
        return [path for path in found if path.stat().st_size > SMALL and "layer" not in path.parts]


@pytest.fixture
def project(home: Isolation, tap: TappedTransport, client: EngineClient) -> Project:
    return Project(home, client, tap)


def test_of_a_changed_file_the_new_bytes_go(project: Project) -> None:
    session = project.open()
    assert project.has_arrived(session)
    assert project.count_sent() == SIZE
    for count in (1, 5000, 60_000):
        project.change(count)
        assert project.has_arrived(session)
        assert project.count_sent() < count + 8 * (16 << 10)
    [only] = [path for path in project.list_large() if "cache" not in path.parts]  # there it shares the file's blocks
    assert "workspaces" in only.parts


def test_what_a_cell_has_written_into_is_no_base(project: Project) -> None:
    session = project.open()
    assert project.has_arrived(session)
    old = project.find_digest(session)
    project.run(session, "with open('data.bin', 'r+b') as file: count = file.write(b'changed')")
    project.bring_home(session)
    project.change()
    session.files.sync.note(project.data, old)  # as if it had not come home
    project.count_sent()
    assert project.has_arrived(session)
    assert project.count_sent() >= SIZE


def test_a_delta_that_was_cut_goes_on(project: Project, tap: TappedTransport, client: EngineClient) -> None:
    session = project.open()
    assert project.has_arrived(session)
    old = project.find_digest(session)
    project.change(6 * CHUNK)
    new = project.find_digest(session)
    project.count_sent()
    arrived: list[int] = []

    def cut(count: int) -> None:
        arrived.append(count)
        if len(arrived) in (2, 4):
            tap.cut()

    client.call(Bulk(session.connection).put({new: project.data}, cut, session.files.make_deltas({new: old})))
    assert 6 * CHUNK < project.count_sent() < 12 * CHUNK
    assert project.has_arrived(session)
    assert project.count_sent() == 0


def test_it_is_sent_once_for_all_sessions_of_a_host(project: Project, client: EngineClient) -> None:
    first, second = project.open("one"), project.open("two")
    assert project.has_arrived(first)
    project.count_sent()
    assert project.has_arrived(second)
    places = [path for path in project.list_large() if "workspaces" in path.parts]
    assert [path.stat().st_nlink for path in places] == [1, 1]
    client.stop(second)
    client.stop(first)
    third = project.open("three")
    assert project.has_arrived(third)
    assert project.count_sent() == 0


def test_nothing_is_kept_where_the_user_has_said_so(project: Project, client: EngineClient) -> None:
    session = project.open("one", cache=0)
    assert project.has_arrived(session)
    client.stop(session)
    assert project.list_large() == []


def test_what_does_not_fit_is_refused_before_anything_goes(project: Project, client: EngineClient) -> None:
    session = project.open()
    client.run(session, "1")
    with project.data.open("wb") as file:
        file.truncate(1 << 43)  # it has no blocks
    project.count_sent()
    with pytest.raises(HostError, match=r"disk of that machine is full: 8796\.09 GB") as caught:
        client.call(Bulk(session.connection).put({"a" * 64: project.data}))
    assert "Free some space" in caught.value.hint
    assert project.count_sent() == 0
    assert project.list_large() == []
