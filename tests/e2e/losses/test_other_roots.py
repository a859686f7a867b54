"""A machine without mount namespaces, where the user may not make the notebook's path: the cell runs in another folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.providers.local import LocalProvider
from choline_jupyter.session.cargo import Cargo
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.spec import SessionSpec
from choline_jupyter.transport.pipe import PipeTransport
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses import without_namespaces
from tests.e2e.losses.conftest import LINGER
from tests.e2e.losses.engine_client import EngineClient, read_text
from tests.net.data_server import serve_data

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def ordinary(home: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's processes may do no more than an ordinary user's, and have no namespaces."""
    transport = PipeTransport(options=LINGER)
    transport._command = [sys.executable, without_namespaces.__file__, *transport._command]
    monkeypatch.setattr(LocalProvider, "connect", lambda provider, label, access: transport)


@contextmanager
def unmakeable(folder: Path) -> Iterator[None]:
    """The folder is not there, and cannot be made where it was."""
    aside = folder.parent.with_name("aside")
    folder.rename(aside)
    folder.parent.chmod(0o555)
    try:
        yield
    finally:
        folder.parent.chmod(0o755)
        aside.rename(folder)


def make_project(home: Isolation) -> Path:
    project = home.folder / "closed" / "project"
    (project / "sub").mkdir(parents=True)
    (project / "pyproject.toml").touch()
    (project / "module.py").write_text("VALUE = 3\n")
    (project / "sub/data.txt").write_text("data")
    (project / "late.txt").write_text("late")
    (project / "script.py").write_text("import module, os\nprint(module.VALUE, open('sub/data.txt').read())\n")
    return project


def open_session(client: EngineClient, project: Path, directory: Path, command: tuple[str, ...] = ()) -> LiveSession:
    files = {
        "root": str(project),
        "roots": [str(project)],
        "mark": {},
        "isolated": False,
    }  # the mark of another machine
    return client.call(client.engine.open(SessionSpec("files", directory=str(directory), files=files, command=command)))


def run_with_files(client: EngineClient, session: LiveSession, code: str, *paths: Path) -> list[Event]:
    along = Cargo(shipment=session.files.sync.plan({str(path): path.stat() for path in paths}))._pack(
        None,  # type: ignore[arg-type]  # they are small: no bridge is needed
        session,
        lambda count: None,
    )
    job = JobRow(make_identifier("j"), session.row.id)
    client.post(
        session.run, job, code, {"msg_id": job.id, "count": 1, "allow_stdin": False, **along.header}, along.extra
    )
    return client.finish(session, job.id)


def test_files_go_and_come_home_all_the_same(client: EngineClient, home: Isolation) -> None:
    project = make_project(home)
    with unmakeable(project):
        session = open_session(client, project, project / "sub")
        told = client.run(session, "import os; print(os.getcwd())")
    root = Path(home.environment["CHOLINE_AGENT_HOME"]) / "workspaces" / session.row.id / "root"
    assert read_text(told) == f"{root}/sub\n"
    moved = [event.read_content() for event in told if event.kind is Kind.STATE and b'"moved"' in bytes(event.content)]
    assert [(fact["wanted"], fact["directory"]) for fact in moved] in ([], [(f"{project}/sub", f"{root}/sub")])
    code = "os.chdir('..'); import module; print(module.VALUE, open('sub/data.txt').read(), open('late.txt').read())"
    events = run_with_files(client, session, code, project / "module.py", project / "sub/data.txt")
    assert read_text(events) == "3 data late\n", [
        event.read_content() for event in events
    ]  # the last one came on demand
    client.run(session, "open('sub/made.txt', 'w').write('made')")
    assert (project / "sub/made.txt").read_text() == "made"
    assert (root / "sub/made.txt").exists()
    client.stop(session)
    assert (project / "module.py").exists()


def test_a_dataset_is_where_the_cell_looks_for_it(client: EngineClient, home: Isolation) -> None:
    project = make_project(home)
    with unmakeable(project):
        session = open_session(client, project, project / "sub")
        client.run(session, "1")
    with serve_data() as server:
        for name in ("x.bin", "small.csv"):
            server.put(f"/{name}", b"a,b" * (1 << 19 if name == "x.bin" else 1))
        datasets = [
            {"url": f"{server.address}/{name}", "path": f"{project}/sub/in/{name}", "name": name}
            for name in ("x.bin", "small.csv")
        ]
        code = "import os; print(os.path.getsize('in/x.bin'), open('in/small.csv').read())"
        assert read_text(client.run(session, code, datasets=datasets)) == f"{3 << 19} a,b\n"
        assert read_text(client.run(session, code, datasets=datasets)) == f"{3 << 19} a,b\n"
        assert len(server.log) == 2
    assert not (project / "sub/in").exists()  # nothing of it comes home


def test_scripts_run_there_too(client: EngineClient, home: Isolation) -> None:
    project = make_project(home)
    with unmakeable(project):
        session = open_session(client, project, project, (str(project / "script.py"),))
        client.call(session.learn_files())
    paths = [project / "script.py", project / "module.py", project / "sub/data.txt"]
    assert read_text(run_with_files(client, session, "", *paths)) == "3 data\n"


def test_a_path_that_can_be_made_is_the_notebooks_own(client: EngineClient, home: Isolation) -> None:
    project = make_project(home)
    aside = project.rename(project.with_name("aside"))
    session = open_session(client, project, project)
    assert read_text(client.run(session, "import os; print(os.getcwd())")) == f"{project}\n"
    assert list(project.iterdir()) == []
    assert aside.exists()
