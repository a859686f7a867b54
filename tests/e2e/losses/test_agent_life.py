"""How long the agent and what it has started live: as long as they are needed, and not a process longer."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import psutil
import pytest

from choline_jupyter.model.event import Kind
from choline_jupyter.transport.pipe import PipeTransport
from choline_jupyter.wire.frame import Type
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.agent_processes import find_supervisors, is_running, kill, wait_until
from tests.e2e.losses.engine_client import EngineClient, read_text
from tests.e2e.losses.raw_client import RawClient

pytestmark = pytest.mark.e2e

LINGER = ("--linger", "1")
# Each tries to get away in another manner; they print their pids.
RUNAWAYS = """
import os, subprocess, sys
sleep = [sys.executable, '-c', 'import time; time.sleep(600)']
stubborn = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; print(1, flush=True); time.sleep(600)"
children = [
    subprocess.Popen(sleep),
    subprocess.Popen(sleep, start_new_session=True),
    subprocess.Popen(['nohup', *sleep], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
    subprocess.Popen([sys.executable, '-c', stubborn], start_new_session=True, stdout=subprocess.PIPE),
]
children[-1].stdout.readline()
daemon = "import os, sys, time\\nif os.fork(): os._exit(0)\\nos.setsid()\\nif os.fork(): os._exit(0)\\n"
daemon += "print(os.getpid(), flush=True); os.close(1); time.sleep(600)"
made = subprocess.run([sys.executable, '-c', daemon], stdout=subprocess.PIPE, text=True)
print(*(child.pid for child in children), made.stdout.strip(), os.getpid())
"""


def start_runaways(client: EngineClient, name: str) -> list[int]:
    session = client.open(name)
    pids = [int(word) for word in read_text(client.run(session, RUNAWAYS)).split()]
    assert len(pids) == 6
    assert all(map(is_running, pids))
    return pids


def test_stop_ends_the_whole_tree(client: EngineClient) -> None:
    pids = start_runaways(client, "tree")
    client.stop(client.open("tree"))
    assert not [pid for pid in pids if is_running(pid)]


def test_stop_also_ends_what_a_dead_kernel_has_left(client: EngineClient) -> None:
    pids = start_runaways(client, "orphans")
    kill(psutil.Process(pids[-1]))
    assert any(map(is_running, pids))
    client.stop(client.open("orphans"))
    assert not [pid for pid in pids if is_running(pid)]


def test_two_stops_at_once_are_one(client: EngineClient) -> None:
    session = client.open("twice")
    pid = int(client.evaluate(session, "import os; os.getpid()"))

    async def stop_twice() -> None:
        await asyncio.gather(session.stop(), session.stop())

    client.call(stop_twice())
    assert not is_running(pid)
    other = client.open("other")
    assert client.evaluate(other, "1 + 1") == "2"


def test_a_lease_ends_an_idle_session_and_leaves_no_process(home: Isolation) -> None:
    client = EngineClient()
    session = client.open("leased", lease=1.0)
    pids = [int(word) for word in read_text(client.run(session, RUNAWAYS)).split()]
    client.close()
    wait_until(lambda: not any(map(is_running, pids)))
    wait_until(lambda: not home.find_processes())

    again = EngineClient()
    job = again.start(again.open("leased"), "1 + 1")
    with pytest.raises(Exception, match="had ended"):
        again.finish(again.open("leased"), job)
    assert again.evaluate(again.open("leased"), "2 + 2") == "4"
    again.stop_all()
    again.close()


def test_a_lease_begins_anew_when_the_user_says_so(home: Isolation) -> None:
    client = EngineClient()
    session = client.open("kept")
    client.evaluate(session, "1")
    client.close()
    again = EngineClient()

    def find_quiet() -> float:
        told = again.call(again.engine.describe("local", "this machine"))
        assert told
        assert told["left"] is None  # no watchdog ends the user's own machine
        return float(told["sessions"][0]["quiet"])

    wait_until(lambda: find_quiet() > 0.2)
    began = time.monotonic()
    again.call(again.engine.extend(session.row))
    assert find_quiet() <= time.monotonic() - began
    again.stop_all()
    again.close()


def test_a_lease_does_not_end_what_runs(home: Isolation) -> None:
    client = EngineClient()
    session = client.open("busy", lease=0.5)
    job = client.start(
        session, "import time, pathlib\nwhile not pathlib.Path('stop').exists(): time.sleep(0.01)\nprint('done')"
    )
    client.confirm(session, job)
    client.close()
    folder = Path(home.environment["CHOLINE_AGENT_HOME"]) / "sessions" / session.row.id
    [supervisor] = find_supervisors(home)
    spent = supervisor.cpu_times().user
    wait_until(lambda: supervisor.cpu_times().user > spent or supervisor.num_ctx_switches().voluntary > 40)
    assert (folder / "session.json").exists()
    (home.folder / "stop").touch()
    wait_until(lambda: not (folder / "session.json").exists())
    assert b"done" in max(folder.glob("r0-*.seg")).read_bytes()
    wait_until(lambda: not home.find_processes())


def test_an_agent_with_nothing_to_do_ends_by_itself(home: Isolation, client: EngineClient) -> None:
    session = client.open("short")
    client.run(session, "1")
    client.stop(session)
    assert home.find_processes()
    client.close()
    wait_until(lambda: not home.find_processes())


def test_many_first_clients_start_one_agent(home: Isolation) -> None:
    async def connect_all() -> set[int]:
        clients = await asyncio.gather(*(RawClient.connect(PipeTransport(options=LINGER)) for _ in range(8)))
        answers = [await client.ask(Type.STATUS, {}) for client in clients]
        assert len(find_supervisors(home)) == 1
        for client in clients:
            await client.close()
        return {answer["pid"] for answer in answers}

    assert len(asyncio.run(connect_all())) == 1


def test_what_comes_twice_is_done_once(home: Isolation) -> None:
    """A client that was cut off cannot know what has arrived, so it says it again."""

    async def repeat() -> str:
        client = await RawClient.connect(PipeTransport(options=LINGER))
        await client.open_session("s-again", str(home.folder), sys.executable)
        for _ in range(3):
            client.run("s-again", "j-one", "lines = globals().get('lines', []) + [input('one '), input('two ')]; lines")
        for answer in ("a", "b"):
            while len(asked := [event for event in client.events if event.kind is Kind.INPUT]) < " ab".index(answer):
                await client.hear(Type.EVENTS)
            for _ in range(3):
                client.send(Type.INPUT, {"session": "s-again", "seq": asked[-1].seq, "value": answer})
        result = await client.hear_event(Kind.RESULT, "j-one")
        client.run("s-again", "j-one", "lines = ['it ran again']")
        client.run("s-again", "j-two", "lines")
        assert (await client.hear_event(Kind.RESULT, "j-two")).content == result.content
        await client.ask(Type.STOP, {"session": "s-again"})
        await client.close()
        return str(result.read_content()["data"]["text/plain"])

    assert asyncio.run(repeat()) == "['a', 'b']"
