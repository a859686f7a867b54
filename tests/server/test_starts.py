"""A session that is started from the panel: only with consent, within what was agreed to, not by the server itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tornado.httpclient import HTTPClientError

from choline_jupyter.errors import RequestError
from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.server.start_routes import read_request
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.options import parse_cell
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.reconciler import ABSENCES, reconcile
from choline_jupyter.session.rent.suppliers import load_rented
from choline_jupyter.session.start_record import Starts
from choline_jupyter.session.starter import read_spec
from tests.fakes.runpod import RunPodCloud
from tests.server.rentals import configure_money

pytestmark = pytest.mark.timeout(240)  # real machines come up and go
Fetch = Callable[..., Awaitable[Any]]

OPTIONS = [["gpu", "a100-80gb"], ["provider", "runpod"]]
WISH = {"options": OPTIONS, "hour": 2.0, "budget": 1.5, "lease": 10, "what": "1x A100 80GB on runpod", "agreed": True}


@pytest.fixture
def cloud(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunPodCloud]:
    made = RunPodCloud(has_machines=os.geteuid() == 0)
    (tmp_path / "fakes.json").write_text(json.dumps({"runpod": made.tell()}))
    monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(tmp_path / "fakes.json"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield made
    _, left = psutil.wait_procs(list_processes(home), timeout=60)
    made.close()
    assert not left, "the keeper, which every rent starts, ends when nothing is rented any more"


def list_processes(home: Path) -> list[psutil.Process]:
    """What was started for the record in this folder."""
    return [process for process in psutil.process_iter() if find_home(process) == str(home)]


def find_home(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("CHOLINE_HOME")
    except psutil.Error:
        return None


async def post(fetch: Fetch, *route: str, body: Any = "") -> Any:
    answer = await fetch("choline", "api", *route, method="POST", body=json.dumps(body), request_timeout=60)
    return json.loads(answer.body)


async def refuse(fetch: Fetch, **changes: Any) -> str:
    with pytest.raises(HTTPClientError) as refused:
        await post(fetch, "starts", body={**WISH, **changes})
    assert refused.value.response
    assert refused.value.code == 409
    return str(json.loads(refused.value.response.body)["message"])


async def run(*arguments: str) -> None:
    """Another Python, to its end."""
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    assert await process.wait() == 0


async def wait_for(fetch: Fetch, condition: Callable[[Any], Any]) -> Any:
    """The panel's state as soon as it is as it should be; the test's own timeout ends a vain wait."""
    while True:
        state = json.loads((await fetch("choline", "api", "state")).body)
        if condition(state):
            return state
        await asyncio.sleep(0.05)


async def test_a_session_is_rented_opened_and_given_back(
    jp_fetch: Fetch, jp_root_dir: Path, home: Path, cloud: RunPodCloud
) -> None:
    """It is the notebook's, within the limits that were agreed to; the process that started it has ended."""
    if not cloud.has_machines:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    (jp_root_dir / "a.ipynb").write_text("{}")
    start = (await post(jp_fetch, "starts", body={**WISH, "path": "a.ipynb"}))["start"]
    state = await wait_for(jp_fetch, lambda state: not state["starts"])
    [session] = state["sessions"]
    assert (session["id"], session["name"], session["notebook"]) == (start, str(jp_root_dir / "a.ipynb"), "a.ipynb")
    lives = json.loads((await jp_fetch("choline", "api", "sessions", request_timeout=60)).body)["sessions"]
    assert lives[0]["life"] in {"idle", "ended"}
    fleet = Fleet(home)
    [machine] = fleet.list_open()
    assert (machine.session, machine.budget, machine.lease) == (start, 1.5, 600.0)
    fleet.close()
    assert len(cloud.list_alive()) == 1
    assert (await post(jp_fetch, "sessions", start, "stop"))["gone"]
    assert cloud.list_alive() == []


BEGIN = """
import sys
from pathlib import Path
from choline_jupyter.server.start_routes import read_request
from choline_jupyter.session.start_record import Starts
from choline_jupyter.session.starter import begin_start
begin_start(Starts(Path(sys.argv[1])), read_request({wish}, sys.argv[2], set()))
"""


async def test_it_goes_on_when_the_server_that_began_it_has_ended(
    jp_fetch: Fetch, jp_root_dir: Path, home: Path, cloud: RunPodCloud
) -> None:
    """Another server shows it, and a command gives the machine back."""
    if not cloud.has_machines:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    home.mkdir(exist_ok=True)
    await run("-c", BEGIN.replace("{wish}", repr(WISH)), str(home), str(jp_root_dir))
    [start] = Starts(home).list_all()
    assert not start.problem
    state = await wait_for(jp_fetch, lambda state: not state["starts"])
    [session] = state["sessions"]
    assert (session["id"], session["name"]) == (start.id, "a100-80gb")
    await run("-m", "choline_jupyter", "stop", "a100-80gb", "--yes")
    assert cloud.list_alive() == []


async def test_nothing_is_rented_without_consent(jp_fetch: Fetch, home: Path, cloud: RunPodCloud) -> None:
    for agreed in (False, None, "yes", 1):
        assert "nobody has agreed" in await refuse(jp_fetch, agreed=agreed)
    assert Starts(home).list_all() == []
    assert "create" not in cloud.calls


async def test_the_users_own_limits_are_kept(jp_fetch: Fetch, tmp_path: Path, home: Path, cloud: RunPodCloud) -> None:
    configure_money(tmp_path / "config", "[money]\nbudget = 1.0\n")
    assert "more than the 1 USD that your configuration allows" in await refuse(jp_fetch)
    assert Starts(home).list_all() == []
    assert cloud.calls == []


async def test_what_costs_more_than_was_agreed_to_is_not_taken(jp_fetch: Fetch, cloud: RunPodCloud) -> None:
    """It is said why, in the panel, until that is dismissed."""
    start = (await post(jp_fetch, "starts", body={**WISH, "hour": 0.01}))["start"]
    state = await wait_for(jp_fetch, lambda state: any(one["problem"] for one in state["starts"]))
    [failed] = state["starts"]
    assert failed["problem"].startswith("No offer fits. Nobody has A100 80GB under 0.01 USD/h now")
    assert (failed["id"], failed["name"]) == (start, "a100-80gb")
    assert "create" not in cloud.calls
    assert await post(jp_fetch, "starts", start, "end") == {"cancelled": False}
    assert (await wait_for(jp_fetch, lambda state: True))["starts"] == []


async def test_a_start_that_is_cancelled_keeps_no_machine(jp_fetch: Fetch, home: Path, cloud: RunPodCloud) -> None:
    cloud.boot_looks = 10**6
    start = (await post(jp_fetch, "starts", body=WISH))["start"]
    await wait_for(jp_fetch, lambda state: state["starts"][0]["stage"] == "booting")
    assert len(cloud.list_alive()) == 1
    assert await post(jp_fetch, "starts", start, "end") == {"cancelled": True}
    await wait_for(jp_fetch, lambda state: not state["starts"])
    assert cloud.list_alive() == []
    fleet, [provider] = Fleet(home), load_rented()
    for _ in range(ABSENCES):  # the keeper would look in a minute
        await reconcile(fleet, provider)
    assert fleet.list_open() == []
    fleet.close()


async def test_a_start_whose_process_is_killed_says_so(jp_fetch: Fetch, home: Path, cloud: RunPodCloud) -> None:
    cloud.fail("offers", "timeout", count=9)  # it waits for its provider
    start = (await post(jp_fetch, "starts", body=WISH))["start"]
    worker = psutil.Process(int((Starts(home).folder / f"{start}.lock").read_text()))
    worker.send_signal(signal.SIGKILL)
    state = await wait_for(jp_fetch, lambda state: state["starts"][0]["problem"])
    assert "has ended before it was done" in state["starts"][0]["problem"]
    assert await post(jp_fetch, "starts", start, "end") == {"cancelled": False}


@pytest.mark.parametrize(
    "changes",
    [
        {"options": [["host", "user@evil"]]},
        {"options": [*OPTIONS, ["yes", ""]]},
        {"options": [["gpu", "a100 --budget 99"], ["provider", "runpod"]]},
        {"options": [["gpu", "a100"]]},
        {"options": [["provider", "local"]]},
        {"options": [["provider", "nobody"]]},
        {"budget": 0},
        {"budget": "5"},
        {"budget": True},
        {"hour": float("nan")},
        {"lease": -1},
        {"lease": None},
        {"options": []},
    ],
)
def test_nonsense_is_no_request(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as refused:
        read_request({**WISH, **changes}, str(tmp_path), set())
    assert str(refused.value).endswith(".")


def test_a_cell_that_says_its_ranks_means_the_session_of_so_many(tmp_path: Path, cloud: RunPodCloud) -> None:
    """The line that the panel writes for it."""
    start = read_request({**WISH, "options": [["gpu", "4xa100-80gb"], ["provider", "runpod"]]}, str(tmp_path), set())
    begun = read_spec(start)
    line = f"--provider runpod --session {start.name} --ranks 4 --budget 1.50 --lease 600s"
    asked = make_spec(start.name, parse_cell(line).options)
    assert (asked.name, asked.ranks) == (begun.name, begun.ranks) == ("4xa100-80gb (4 ranks)", 4)
    assert asked.rent
    assert begun.rent
    assert (asked.rent.limits.budget, asked.rent.limits.lease) == (begun.rent.limits.budget, begun.rent.limits.lease)
    assert begun.rent.limits.is_agreed


def test_a_name_is_the_notebooks_or_one_that_is_free(tmp_path: Path, store: EventStore) -> None:
    root, notebook = str(tmp_path), str(tmp_path / "a.ipynb")
    wish = {**WISH, "path": "a.ipynb"}
    assert read_request(wish, root, set()).name == notebook
    assert read_request(wish, root, {notebook}).name == "a100-80gb"
    assert read_request(WISH, root, {"a100-80gb"}).name == "a100-80gb-2"
    four = {**wish, "options": [["gpu", "4xa100-80gb"], ["provider", "runpod"]]}
    assert read_request(four, root, {notebook}).name == notebook  # its session of four ranks is another one
    assert read_request(four, root, {f"{notebook} (4 ranks)"}).name == "4xa100-80gb"
