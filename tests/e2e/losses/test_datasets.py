"""Datasets on a machine with several sessions: downloaded once, kept in a limit, whatever is killed meanwhile."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.project import describe_files
from choline_jupyter.session.spec import SessionSpec
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.agent_processes import find_downloads, find_supervisors, is_running, kill, wait_until
from tests.e2e.losses.engine_client import EngineClient, read_result
from tests.namespaces import needs_namespaces
from tests.net.data_server import PIECE, DataServer, serve_data

pytestmark = [pytest.mark.e2e, needs_namespaces]

DATA = random.Random(9).randbytes(40 * PIECE)
COMMIT = "ab" * 20


class Project:
    """A folder of this machine, for sessions that have none of its files."""

    def __init__(self, home: Isolation, client: EngineClient, server: DataServer) -> None:
        self.folder = home.folder / "project"
        self.folder.mkdir()
        self.agent = Path(home.environment["CHOLINE_AGENT_HOME"])
        self._client, self.server = client, server

    def open(self, name: str, **wish: Any) -> LiveSession:
        files = {**describe_files(self.folder, is_isolated=True), "hidden": [str(self.folder)], **wish}
        return self._client.call(self._client.engine.open(SessionSpec(name, directory=str(self.folder), files=files)))

    def start(self, session: LiveSession, code: str, path: str = "x.bin", url: str = "/x.bin", **header: Any) -> str:
        url = url if "://" in url else self.server.address + url
        settings = {"HF_ENDPOINT": self.server.address}
        wish = {"url": url, "path": str(self.folder / path), "name": path, "settings": settings}
        job = JobRow(make_identifier("j"), session.row.id)
        told = {"msg_id": job.id, "count": 1, "allow_stdin": False, "datasets": [wish], **header}
        self._client.post(session.run, job, code, told)
        return job.id

    def measure(self, session: LiveSession, **more: Any) -> str:
        """What a cell sees of the file."""
        job = self.start(session, "import os; os.path.getsize('x.bin')", **more)
        return read_result(self._client.finish(session, job))

    def list_large(self) -> list[str]:
        """The folders in which the dataset lies."""
        found = [path for path in self.agent.rglob("*") if path.is_file() and path.stat().st_size == len(DATA)]
        return [path.relative_to(self.agent).parts[0] for path in found]


@pytest.fixture
def server() -> Iterator[DataServer]:
    with serve_data() as made:
        made.put("/x.bin", DATA)
        yield made


@pytest.fixture
def project(home: Isolation, client: EngineClient, server: DataServer) -> Project:
    return Project(home, client, server)


def wait_for(session: LiveSession, condition: Callable[[dict[str, Any]], bool]) -> None:
    """Until a state event of the session is so."""
    while True:
        event = session.feed.get(30)
        assert event is not None, session.failure
        if event.kind is Kind.STATE and condition(event.read_content()):
            return


def find_states(events: list[Event], name: str) -> list[dict[str, Any]]:
    contents = [event.read_content() for event in events if event.kind is Kind.STATE]
    return [content for content in contents if content.get("state") == name]


def test_two_sessions_at_once_are_one_download(project: Project, client: EngineClient) -> None:
    gate = threading.Event()
    file = project.server.files["/x.bin"]
    file.gate, file.gate_at = gate, 20 * PIECE
    sessions = [project.open("one"), project.open("two")]
    jobs = [project.start(session, "import os; os.path.getsize('x.bin')") for session in sessions]
    wait_for(sessions[0], lambda fact: fact.get("state") == "downloading")
    wait_for(sessions[1], lambda fact: fact.get("state") == "downloading")
    gate.set()
    for session, job in zip(sessions, jobs, strict=True):
        assert read_result(client.finish(session, job)) == str(len(DATA))
    assert sum(request.path == "/x.bin" and bool(request.sent) for request in project.server.log) == 1
    assert project.list_large().count("workspaces") == 2


def test_the_next_session_finds_it(project: Project, client: EngineClient) -> None:
    first = project.open("one")
    assert project.measure(first) == str(len(DATA))
    assert set(project.list_large()) <= {"workspaces", "cache"}
    client.stop(first)
    assert project.list_large() == ["cache"]
    assert project.measure(project.open("two")) == str(len(DATA))
    assert project.server.count_sent() == len(DATA)


def test_what_the_cache_has_no_room_for_is_downloaded_again(project: Project, client: EngineClient) -> None:
    first = project.open("one", cache=len(DATA) - 1)
    assert project.measure(first) == str(len(DATA))
    client.stop(first)
    assert project.list_large() == []
    assert project.measure(project.open("two")) == str(len(DATA))
    assert project.server.count_sent() == 2 * len(DATA)


def test_a_session_keeps_what_it_has(project: Project, client: EngineClient) -> None:
    session = project.open("one")
    assert project.measure(session) == str(len(DATA))
    project.server.put("/x.bin", DATA[:-1])
    client.run(session, "with open('x.bin', 'ab') as file: count = file.write(b'more')", pull=False)
    assert project.measure(session) == str(len(DATA) + 4)
    client.run(session, "os.remove('x.bin')")
    assert project.measure(session) == str(len(DATA) - 1)


def test_another_address_takes_the_place_of_an_earlier_one(project: Project, client: EngineClient) -> None:
    session = project.open("one")
    assert project.measure(session) == str(len(DATA))
    project.server.put("/y.bin", DATA[1:])
    assert project.measure(session, url="/y.bin") == str(len(DATA) - 1)
    client.run(session, "with open('x.bin', 'ab') as file: count = file.write(b'mine')", pull=False)
    events = client.finish(session, project.start(session, "1"))
    assert "there is a file of that name already" in find_states(events, "cancelled")[0]["reason"]


def test_a_supervisor_that_is_killed_meanwhile_loses_neither_job_nor_bytes(
    project: Project, client: EngineClient, home: Isolation
) -> None:
    gate = threading.Event()
    file = project.server.files["/x.bin"]
    file.gate, file.gate_at = gate, 20 * PIECE
    session = project.open("one")
    client.run(session, "1")
    job = project.start(session, "import os; os.path.getsize('x.bin')")
    wait_for(session, lambda fact: fact.get("done") == 20 * PIECE)
    [download] = find_downloads(home)
    kill(*find_supervisors(home))
    wait_until(lambda: not is_running(download.pid))
    gate.set()
    assert read_result(client.finish(session, job)) == str(len(DATA))
    assert project.server.log[-1].headers["Range"] == f"bytes={20 * PIECE}-"


def test_a_session_that_is_stopped_leaves_no_download(project: Project, client: EngineClient) -> None:
    file = project.server.files["/x.bin"]
    file.gate, file.gate_at = threading.Event(), 20 * PIECE
    session = project.open("one")
    job = project.start(session, "1")
    wait_for(session, lambda fact: fact.get("state") == "downloading")
    client.stop(session)
    assert find_states(client.finish(session, job), "cancelled")
    assert project.list_large() == []  # that no process is left, the fixture looks at


def test_a_whole_repository_is_a_folder_and_a_token_stays_hidden(project: Project, client: EngineClient) -> None:
    server, token = project.server, "hf_abcdefgh"
    files = {"a.csv": b"1\n", "deep/b.bin": DATA, "deep/c/d.txt": b""}
    listing = [{"type": "file", "path": path, "size": len(data)} for path, data in files.items()]
    server.put("/api/datasets/o/n/revision/main", json.dumps({"sha": COMMIT}).encode())
    server.put(f"/api/datasets/o/n/tree/{COMMIT}", json.dumps(listing).encode())
    for path, data in files.items():
        server.put(f"/datasets/o/n/resolve/{COMMIT}/{path}", data)
    server.guard = lambda request: 0 if request.headers["Authorization"] == f"Bearer {token}" else 401
    session = project.open("one")
    cell = "import pathlib\nsorted((str(p), p.stat().st_size) for p in pathlib.Path('n').rglob('*.*'))"
    wish = {"path": "n", "url": "hf://datasets/o/n"}
    events = client.finish(session, project.start(session, cell, **wish))
    assert "HF_TOKEN" in find_states(events, "cancelled")[0]["hint"]
    events = client.finish(session, project.start(session, cell, **wish, secrets={"HF_TOKEN": token}))
    assert read_result(events) == f"[('n/a.csv', 2), ('n/deep/b.bin', {len(DATA)}), ('n/deep/c/d.txt', 0)]"
    assert find_states(events, "downloaded")[0]["new"] == len(DATA) + 2
    held = [path for path in project.agent.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert held == []
