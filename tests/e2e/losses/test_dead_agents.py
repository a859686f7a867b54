"""The agent's processes killed: kernels go on, their output is kept, and whoever comes next finds everything again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.session.live import LiveSession
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.agent_processes import find_fork_servers, find_supervisors, is_running, kill, wait_until
from tests.e2e.losses.engine_client import EngineClient, read_reply, read_result, read_text

pytestmark = pytest.mark.e2e

COUNT = """
import pathlib, time
kept, number = 'state', 0
while not pathlib.Path('stop').exists():
    print(number, 'x' * 500, flush=True)
    number += 1
    time.sleep(0.0005)
print('the end', number)
"""


def read_lines(client: EngineClient, session: LiveSession, job: str, count: int) -> list[Event]:
    """Events of the job until so many lines are there."""
    events: list[Event] = []
    while read_text(events).count("\n") < count:
        event = session.feed.get(30)
        assert event is not None, session.failure
        if event.job == job:
            events.append(event)
    return events


def expect_all_lines(events: list[Event]) -> None:
    lines = read_text(events).splitlines()
    assert lines[-1] == f"the end {len(lines) - 1}"
    assert [line.split()[0] for line in lines[:-1]] == [str(number) for number in range(len(lines) - 1)]


@pytest.mark.parametrize("with_fork_servers", [True, False])
def test_killed_while_a_cell_prints(home: Isolation, client: EngineClient, *, with_fork_servers: bool) -> None:
    session = client.open("killed")
    pid = client.evaluate(session, "import os; os.getpid()")
    job = client.start(session, COUNT)
    events = []
    for _ in range(3):
        events += read_lines(client, session, job, 100)
        wait_until(lambda: find_supervisors(home))  # what was read may have come before the last one died
        kill(*find_supervisors(home), *(find_fork_servers(home) if with_fork_servers else ()))
    events += read_lines(client, session, job, 100)
    (home.folder / "stop").touch()
    events += client.finish(session, job)
    expect_all_lines(events)
    assert read_reply(events)["status"] == "ok"
    assert client.evaluate(session, "kept, os.getpid()") == f"('state', {pid})"
    wait_until(lambda: len(find_supervisors(home)) == 1)  # of those that start at once all but one leave


def test_a_job_whose_secrets_died_with_the_agent_does_not_run(home: Isolation, client: EngineClient) -> None:
    session = client.open("secrets")
    first = client.start(session, COUNT)
    read_lines(client, session, first, 10)
    waiting = client.start(session, "import os; os.environ['MY_KEY']", secrets={"MY_KEY": "very secret"})
    client.confirm(session, waiting)
    kill(*find_supervisors(home), *find_fork_servers(home))
    fact = client.finish(session, waiting)[-1].read_content()
    (home.folder / "stop").touch()
    assert read_reply(client.finish(session, first))["status"] == "ok"
    assert (fact["state"], fact["reason"]) == (
        "cancelled",
        "the agent was killed before it began, and does not keep secrets on its disk",
    )
    shown = client.run(session, "import os; os.environ['MY_KEY']", secrets={"MY_KEY": "very secret"})
    assert read_result(shown) == "'***'"


def test_jobs_that_wait_are_not_forgotten(home: Isolation, client: EngineClient) -> None:
    session = client.open("waiting")
    first = client.start(session, COUNT)
    read_lines(client, session, first, 10)
    others = [client.start(session, f"kept + '{number}'") for number in range(3)]
    for job in others:
        client.confirm(session, job)
    kill(*find_supervisors(home), *find_fork_servers(home))
    (home.folder / "stop").touch()
    assert read_reply(client.finish(session, first))["status"] == "ok"
    for job in others:
        assert read_reply(client.finish(session, job))["status"] == "ok"
    assert client.evaluate(session, "kept") == "'state'"


def test_a_job_that_ended_while_nobody_watched_is_not_run_again(home: Isolation, client: EngineClient) -> None:
    session = client.open("unwatched")
    client.run(session, "ran = 0")
    job = client.start(session, "import time; ran += 1; print('begun', flush=True); time.sleep(1)")
    read_lines(client, session, job, 1)
    others = find_fork_servers(home)
    for process in others:
        process.suspend()  # else they would start a supervisor at once
    client.call(client.engine.close())
    kill(*find_supervisors(home))
    wait_until(lambda: b'"done"' in read_journal(home, session.row.id))
    for process in others:
        process.resume()
    client.close()

    again = EngineClient()
    session = again.call(again.engine.join(session.row))
    assert read_reply(again.finish(session, job))["status"] == "ok"
    assert again.evaluate(session, "ran") == "1"
    again.close()


def read_journal(home: Isolation, session: str) -> bytes:
    """The newest segment of the session's rank."""
    folder = Path(home.environment["CHOLINE_AGENT_HOME"]) / "sessions" / session
    return max(folder.glob("r0-*.seg")).read_bytes()


def test_without_any_client_a_fork_server_starts_another_and_the_lease_still_holds(home: Isolation) -> None:
    client = EngineClient()
    session = client.open("leased", lease=2.0)
    pid = int(client.evaluate(session, "import os; os.getpid()"))
    client.close()
    [first] = find_supervisors(home)
    kill(first)
    wait_until(lambda: find_supervisors(home))
    wait_until(lambda: not is_running(pid))
    for process in find_supervisors(home):
        process.send_signal(signal.SIGTERM)
    wait_until(lambda: not home.find_processes())


def test_after_a_crash_of_everything_what_was_printed_is_there(home: Isolation, client: EngineClient) -> None:
    """As after a restart of the machine: nothing of it lives, sockets and a torn journal are left."""
    session = client.open("crashed")
    job = client.start(session, COUNT)
    events = read_lines(client, session, job, 200)
    client.call(client.engine.close())
    doomed = [process for process in home.find_processes() if process.pid != os.getpid()]
    kill(*doomed)
    folder = Path(home.environment["CHOLINE_AGENT_HOME"]) / "sessions" / session.row.id
    whole = read_journal(home, session.row.id)
    with max(folder.glob("r0-*.seg")).open("ab") as journal:
        journal.write(whole[:77])
    client.close()

    again = EngineClient()
    joined = again.call(again.engine.join(session.row, follow=False))
    seen = again.engine.store.find_contiguous(session.row.id)
    stored = list(again.engine.store.read_job(job))
    again.post(joined.follow, seen)
    events = [event for event in stored if event.seq <= seen[event.series]] + again.finish(joined, job)
    numbers = [line.split()[0] for line in read_text(events).splitlines()]
    assert len(numbers) >= 200
    assert numbers == [str(number) for number in range(len(numbers))]
    assert whole.count(b'"name": "stream"') <= len(events)
    assert events[-1].kind is Kind.STATE
    assert "restarted" in events[-1].read_content()["stopped"]
    job_row = again.engine.store.find_job(job)
    assert job_row
    assert not job_row.state.is_open

    new = again.open("crashed")
    assert new.row.id != session.row.id
    assert again.evaluate(new, "'kept' in globals()") == "False"
    again.close()


def test_a_session_folder_that_nobody_can_read_stops_nobody(home: Isolation, client: EngineClient) -> None:
    base = Path(home.environment["CHOLINE_AGENT_HOME"]) / "sessions"
    for name, text in (
        ("s-empty", None),
        ("s-torn", "{"),
        ("s-other", json.dumps({"session": "s-x"})),
        ("s-list", "[]"),
    ):
        (base / name).mkdir(parents=True)
        if text is not None:
            (base / name / "session.json").write_text(text)
    (base / "a-file").touch()
    session = client.open("after")
    assert client.evaluate(session, "1 + 1") == "2"


def test_killed_again_and_again_without_any_client(home: Isolation) -> None:
    """Not only the supervisor that made the fork server is missed, but each that came after it."""
    client = EngineClient()
    session = client.open("lasting")
    pid = client.evaluate(session, "import os; os.getpid()")
    client.close()
    for _ in range(4):
        wait_until(lambda: find_supervisors(home))
        kill(*find_supervisors(home))
    wait_until(lambda: find_supervisors(home))
    again = EngineClient()
    assert again.evaluate(again.open("lasting"), "os.getpid()") == pid
    again.stop_all()
    again.close()
