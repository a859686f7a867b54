"""Files that nobody foresaw come while a cell runs: once, through cuts and deaths, and not from nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.cargo import Cargo
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.project import describe_files
from choline_jupyter.session.spec import SessionSpec
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.agent_processes import find_supervisors, kill, wait_until
from tests.e2e.losses.engine_client import EngineClient, read_text
from tests.e2e.losses.tapped_transport import TappedTransport
from tests.namespaces import needs_namespaces

pytestmark = [pytest.mark.e2e, needs_namespaces]


class Project:
    """A folder that a session's kernels see at the same path, empty at first."""

    def __init__(self, home: Isolation) -> None:
        self.folder = home.folder / "project"
        self._workspaces = Path(home.environment["CHOLINE_AGENT_HOME"]) / "workspaces"
        (self.folder / "data").mkdir(parents=True)
        (self.folder / "data/text.txt").write_text("hello")
        (self.folder / "data/large.bin").write_bytes(os.urandom(3 << 20))
        (self.folder / "module.py").write_text("VALUE = 3\n")

    def open(
        self, client: EngineClient, patience: float = 30.0, command: tuple[str, ...] = (), named: tuple[str, ...] = ()
    ) -> LiveSession:
        """The session `files`, which has none of this machine's files."""
        files = {**describe_files(self.folder, True, named, patience), "hidden": [str(self.folder)]}
        spec = SessionSpec("files", directory=str(self.folder), files=files, command=command)
        return client.call(client.engine.open(spec))

    def find(self, session: LiveSession, name: str) -> Path:
        """Where a file of the session is on its machine."""
        return self._workspaces / session.row.id / "root" / name


@pytest.fixture
def project(home: Isolation) -> Project:
    return Project(home)


def read_states(events: list[Event]) -> list[str]:
    return [str(event.read_content().get("state")) for event in events if event.kind is Kind.STATE]


def test_they_come_when_they_are_needed(client: EngineClient, project: Project) -> None:
    session = project.open(client)
    code = "import os, module\nprint(module.VALUE, open('data/text.txt').read(), sorted(os.listdir('data')))"
    assert read_text(client.run(session, code)) == "3 hello ['large.bin', 'text.txt']\n"
    assert not project.find(session, "data/large.bin").exists()
    assert session.served.take_notices() == ["fetched on demand: 2 files; next time they go ahead"]
    client.run(session, "digest = __import__('hashlib').sha256(open('data/large.bin', 'rb').read()).hexdigest()")
    assert project.find(session, "data/large.bin").read_bytes() == (project.folder / "data/large.bin").read_bytes()
    wait_until(lambda: len(session.list_fetched()) == 3)
    assert [need.path.name for need in session.list_fetched()] == ["module.py", "text.txt", "large.bin"]


def test_named_folders_outside_of_the_project_are_served_too(
    client: EngineClient, home: Isolation, project: Project
) -> None:
    outside, other = home.folder / "outside", home.folder / "other"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep/a.txt").write_text("a")
    (outside / "b.txt").write_text("b")
    (outside / "way_out").symlink_to(other / "c.txt")
    other.mkdir()
    (other / "c.txt").write_text("c")
    session = project.open(client, named=(str(outside), str(project.folder / "data")))
    assert session.spec
    assert session.spec.files
    assert session.spec.files["roots"] == [str(project.folder), str(outside)]
    sent = session.files.sync.plan({str(outside / "deep/a.txt"): (outside / "deep/a.txt").stat()})
    along = Cargo(shipment=sent)._pack(None, session, lambda count: None)  # type: ignore[arg-type]  # small: no bridge
    look = f"import os\nos.chdir({str(outside)!r})\nread = lambda path: open(path).read()"
    job = JobRow(make_identifier("j"), session.row.id)
    client.post(
        session.run, job, look, {"msg_id": job.id, "count": 1, "allow_stdin": False, **along.header}, along.extra
    )
    client.finish(session, job.id)
    assert client.evaluate(session, "read('deep/a.txt'), read('b.txt'), sorted(os.listdir('.'))") == (
        "('a', 'b', ['b.txt', 'deep'])"
    )
    assert client.evaluate(session, "os.path.exists('way_out')") == "False"


def test_what_is_not_here_is_looked_for_again_by_the_next_job(client: EngineClient, project: Project) -> None:
    session = project.open(client)
    look = "import os\nos.path.exists('late.txt')"
    assert client.evaluate(session, look) == "False"
    (project.folder / "late.txt").write_text("late")
    assert client.evaluate(session, look) == "True"


def test_what_a_cell_removes_stays_away(client: EngineClient, project: Project) -> None:
    session = project.open(client)
    assert client.evaluate(session, "import os\nos.remove('data/text.txt')\nos.path.exists('data/text.txt')") == "False"
    assert client.evaluate(session, "os.listdir('data'), os.path.exists('data/text.txt')") == "(['large.bin'], False)"


def test_a_cut_does_not_lose_a_question(tap: TappedTransport, client: EngineClient, project: Project) -> None:
    session = project.open(client)
    client.run(session, "1")
    cuts: list[bytes] = []

    def lose(data: bytes) -> bytes:
        if b'"wants"' not in data or cuts:
            return data
        cuts.append(data)
        tap.cut()
        return b""

    tap.damage = lose
    assert read_text(client.run(session, "print(open('data/text.txt').read())")) == "hello\n"
    assert cuts
    assert tap.opened > 1


def test_a_question_outlives_the_supervisor(client: EngineClient, home: Isolation, project: Project) -> None:
    session = project.open(client)
    client.run(session, "import os")
    job = client.start(
        session, "open('ready', 'w').close()\nwhile os.path.exists('ready'): pass\nopen('data/text.txt').read()"
    )
    wait_until(project.find(session, "ready").exists)
    kill(*find_supervisors(home))
    project.find(session, "ready").unlink()
    events = client.finish(session, job)
    assert [event.read_content()["data"]["text/plain"] for event in events if event.kind is Kind.RESULT] == ["'hello'"]


def test_with_nobody_there_a_file_does_not_exist(client: EngineClient, project: Project) -> None:
    session = project.open(client, patience=0.2)
    code = "import os\nopen('ready', 'w').close()\nwhile os.path.exists('ready'): pass\nprint(os.path.exists('data/text.txt'))"
    job = client.start(session, code, detached=True)
    client.confirm(session, job)
    wait_until(project.find(session, "ready").exists)
    client.close()
    project.find(session, "ready").unlink()
    later = EngineClient()
    try:
        row = later.engine.find_row("files")
        journal = Path(os.environ["CHOLINE_AGENT_HOME"]) / "sessions" / row.id
        wait_until(lambda: any(b"unserved" in path.read_bytes() for path in journal.glob("r-1-*.seg")))
        events = later.finish(later.call(later.engine.join(row)), job)
        assert read_text(events) == "False\n"
        assert "unserved" in read_states(events)
        [state] = [event.read_content() for event in events if b"unserved" in bytes(event.content)]
        assert (state["wait"], state["path"]) == ("0.2", str(project.folder / "data/text.txt"))
    finally:
        later.close()


def test_scripts_have_them_too(client: EngineClient, project: Project) -> None:
    (project.folder / "script.py").write_text("print(open('data/text.txt').read())\n")
    session = project.open(client, command=("script.py",))
    assert read_text(client.run(session, "")) == "hello\n"


def test_what_the_user_excludes_does_not_exist(client: EngineClient, project: Project) -> None:
    (project.folder / ".cholineignore").write_text("*.bin\n")
    session = project.open(client)
    session.served.exclude(["text.*"])
    assert client.evaluate(session, "import os\nos.listdir('data'), os.path.exists('data/large.bin')") == "([], False)"


def test_what_came_is_not_sent_home(client: EngineClient, project: Project) -> None:
    session = project.open(client)
    events = client.run(session, "text = open('data/text.txt').read()\nopen('made.txt', 'w').write(text)")
    told = [event.read_content()["files"] for event in events if event.kind is Kind.ARTIFACT]
    assert [file[0] for files in told for file in files] == ["made.txt"]
    assert session.files.sync.find_sent(project.folder / "data/text.txt")


def test_a_session_on_the_same_files_has_no_shim(client: EngineClient) -> None:
    session = client.open("plain")
    code = "import os\nos.environ.get('LD_PRELOAD'), 'choline-shim' in open('/proc/self/maps').read()"
    assert client.evaluate(session, code) == "(None, False)"
