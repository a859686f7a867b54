"""Every REST route answers the server's user and nobody else, changes nothing by GET, and refuses in sentences."""

from __future__ import annotations

import json
import platform
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from tornado.httpclient import HTTPClientError

import choline_jupyter
from choline_jupyter.ledger.event_store import FILE_NAME, EventStore
from choline_jupyter.ledger.file_lock import FileLock
from choline_jupyter.model.job import JobState
from choline_jupyter.server.handlers import SETTING
from choline_jupyter.server.routes import ROUTES
from tests.server.samples import end_job, print_text, save_job, save_session

Fetch = Callable[..., Awaitable[Any]]

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SAMPLE = "j-0000000-00000000"


def example(path: str) -> str:
    """A path that the route's pattern matches."""
    return path.replace("([a-z][a-z0-9-]{1,62})", SAMPLE)


async def ask(fetch: Fetch, route: str, **params: str) -> Any:
    response = await fetch("choline", "api", *route.split("/"), params=params)
    return json.loads(response.body)


async def refusal(fetch: Fetch, route: str, method: str = "GET", **params: str) -> tuple[int, str]:
    with pytest.raises(HTTPClientError) as refused:
        await fetch("choline", "api", *route.split("/"), method=method, params=params, allow_nonstandard_methods=True)
    assert refused.value.response is not None
    return refused.value.code, json.loads(refused.value.response.body)["message"]


async def test_version_is_what_the_server_runs(jp_fetch: Fetch) -> None:
    assert await ask(jp_fetch, "version") == {
        "version": choline_jupyter.__version__,
        "python": platform.python_version(),
    }


@pytest.mark.parametrize("path", [path for path, _ in ROUTES])
@pytest.mark.parametrize("verb", VERBS)
async def test_nothing_is_answered_without_authentication(jp_fetch: Fetch, path: str, verb: str) -> None:
    body = "{}" if verb in {"POST", "PUT", "PATCH"} else None
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(
            "choline", "api", *example(path).split("/"), method=verb, body=body, headers={"Authorization": ""}
        )
    # 405: the route has no such verb.
    assert refused.value.code in {403, 405}


def test_every_route_that_the_server_has_is_listed(jp_serverapp: ServerApp) -> None:
    """The test above sees them all: what is below choline/ comes from the list."""
    rules = [rule for outer in jp_serverapp.web_app.wildcard_router.rules + jp_serverapp.web_app.default_router.rules
             for rule in getattr(outer.target, "rules", [outer])]  # fmt: skip
    ours = {rule.target for rule in rules if "choline/api" in str(getattr(rule.matcher, "regex", ""))}
    assert ours == {handler for _, handler in ROUTES}


@pytest.mark.parametrize("path", [path for path, handler in ROUTES if "post" in vars(handler)])
async def test_a_page_of_another_site_can_do_nothing(jp_fetch: Fetch, jp_serverapp: ServerApp, path: str) -> None:
    """The browser sends the user's cookies along, but the other site cannot read the one that must be repeated."""
    welcome = await jp_fetch("choline", "api", "version")
    cookies = [morsel.partition(";")[0] for morsel in welcome.headers.get_list("Set-Cookie")]
    assert any(cookie.startswith("username-") for cookie in cookies)

    async def post(**headers: str) -> int:
        given = {"Authorization": "", "Cookie": "; ".join([*cookies, "_xsrf=known"]), **headers}
        route = example(path).split("/")
        with pytest.raises(HTTPClientError) as refused:
            await jp_fetch("choline", "api", *route, method="POST", body="", headers=given)
        assert refused.value.response is not None
        return refused.value.code if b"There is no" not in refused.value.response.body else 0

    assert await post() == 403
    assert await post(**{"X-XSRFToken": "guess"}) == 403
    assert await post(**{"X-XSRFToken": "known", "Origin": "http://evil.example"}) == 404  # jupyter_server's own word
    assert await post(**{"X-XSRFToken": "known"}) == 0


def test_no_route_acts_on_get() -> None:
    """A route either shows or acts; those that act take POST alone."""
    for path, handler in ROUTES:
        verbs = {verb.lower() for verb in VERBS} & set(vars(handler))
        assert verbs in ({"get"}, {"post"}), path


async def test_an_empty_record_is_shown_as_such(jp_fetch: Fetch) -> None:
    state = await ask(jp_fetch, "state")
    assert (state["sessions"], state["jobs"], state["more"], state["keeper"]) == ([], [], False, 0)
    assert await ask(jp_fetch, "sessions") == {"sessions": []}


async def test_state_has_sessions_and_jobs(jp_fetch: Fetch, jp_root_dir: Path, store: EventStore) -> None:
    save_session(store, name=str(jp_root_dir / "sub" / "a.ipynb"))
    save_job(store, notebook=str(jp_root_dir / "sub" / "a.ipynb"), cell_id="c1")
    print_text(store, 1, "step 1 loss 2.5\nstep 2 loss 2.25\n 20%|##   | 2/10 [00:04<00:16,  2.0s/it]")
    store.flush()
    state = await ask(jp_fetch, "state")
    assert [session["notebook"] for session in state["sessions"]] == ["sub/a.ipynb"]
    (job,) = state["jobs"]
    assert (job["notebook"], job["cell"], job["state"]) == ("sub/a.ipynb", "c1", "running")
    assert job["losses"] == [2.5, 2.25]
    assert job["progress"] == {"done": 2, "total": 10, "left": 16, "rate": "2.0s/it"}


async def test_ten_thousand_jobs_are_a_page(jp_fetch: Fetch, store: EventStore) -> None:
    save_session(store)
    for number in range(10_000):
        save_job(store, f"j-{number:05}", JobState.DONE, created_at=float(number))
    assert store.flush(30)
    state = await ask(jp_fetch, "state")
    assert len(state["jobs"]) == 200
    assert state["more"]
    assert state["jobs"][0]["id"] == "j-09999"


async def test_jobs_are_found_by_their_ids(jp_fetch: Fetch, store: EventStore) -> None:
    save_job(store, "j-one", JobState.DONE)
    save_job(store, "j-two")
    store.flush()
    jobs = (await ask(jp_fetch, "jobs", ids="j-two,j-gone"))["jobs"]
    assert [job["id"] for job in jobs] == ["j-two"]


async def test_a_cell_has_its_newest_job(jp_fetch: Fetch, jp_root_dir: Path, store: EventStore) -> None:
    notebook = str(jp_root_dir / "a.ipynb")
    for number, cell in enumerate(["c1", "c2", "c1"]):
        save_job(store, f"j-{number}", JobState.DONE, notebook=notebook, cell_id=cell, created_at=float(number))
    store.flush()
    cells = (await ask(jp_fetch, "cells", path="a.ipynb"))["cells"]
    assert {cell["cell"]: cell["id"] for cell in cells} == {"c1": "j-2", "c2": "j-1"}


async def test_output_comes_behind_a_place(jp_fetch: Fetch, store: EventStore) -> None:
    save_session(store)
    save_job(store)
    print_text(store, 1, "one ")
    print_text(store, 2, "two\n")
    store.flush()
    page = await ask(jp_fetch, "jobs/j-one/events")
    assert page["messages"] == [{"type": "stream", "content": {"name": "stdout", "text": "one two\n"}}]
    print_text(store, 3, "three\n")
    end_job(store, 4)
    store.flush()
    rest = await ask(jp_fetch, "jobs/j-one/events", after=page["after"])
    assert [message["content"]["text"] for message in rest["messages"]] == ["three\n"]
    assert (rest["job"]["state"], rest["more"]) == ("done", False)
    assert (await ask(jp_fetch, "jobs/j-one/events", after=rest["after"]))["messages"] == []


@pytest.mark.parametrize("after", ["x", "1.0:1;2", "1.0:-3", "1.0:" + "9" * 40, "1.0", "../../etc"])
async def test_nonsense_is_refused(jp_fetch: Fetch, store: EventStore, after: str) -> None:
    save_job(store)
    store.flush()
    code, message = await refusal(jp_fetch, "jobs/j-one/events", after=after)
    assert code == 400
    assert "is no place" in message


async def test_a_job_that_nobody_knows(jp_fetch: Fetch) -> None:
    for path, method in (("jobs/j-old/events", "GET"), ("jobs/j-old/interrupt", "POST")):
        code, message = await refusal(jp_fetch, path, method)
        assert (code, message.startswith("There is no job j-old.")) == (404, True)
    assert (await refusal(jp_fetch, "sessions/s-old/stop", "POST"))[0] == 404


async def test_older_jobs_come_page_by_page(jp_fetch: Fetch, store: EventStore) -> None:
    for number in range(450):
        save_job(store, f"j-{number:05}", JobState.DONE, created_at=float(number))
    assert store.flush(30)
    found: list[str] = []
    page = await ask(jp_fetch, "state")
    while page["more"]:
        found += [job["id"] for job in page["jobs"]]
        page = await ask(jp_fetch, "history", before=str(page["jobs"][-1]["created"]))
    found += [job["id"] for job in page["jobs"]]
    assert found == [f"j-{number:05}" for number in reversed(range(450))]


@pytest.mark.parametrize("before", ["", "x", "nan", "1" * 40])
async def test_a_page_behind_no_time_is_refused(jp_fetch: Fetch, before: str) -> None:
    assert (await refusal(jp_fetch, "history", before=before))[0] == 400


async def test_a_lease_where_nothing_runs_is_refused_and_nothing_is_started(
    jp_fetch: Fetch, home: Path, store: EventStore
) -> None:
    save_session(store)
    store.flush()
    code, message = await refusal(jp_fetch, "sessions/s-one/lease", "POST")
    assert (code, message.endswith(".")) == (409, True)
    assert not (home.parent / "agent" / "sessions").exists()


async def test_a_newer_record_is_refused_in_one_sentence(
    jp_fetch: Fetch, jp_serverapp: ServerApp, home: Path, store: EventStore
) -> None:
    await ask(jp_fetch, "state")
    store.close()
    with sqlite3.connect(home / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 1000")
    connection.close()
    jp_serverapp.web_app.settings[SETTING].record.close()
    code, message = await refusal(jp_fetch, "state")
    assert code == 503
    assert "belongs to a newer choline" in message


async def test_a_locked_record_says_so_and_the_next_request_works(
    jp_fetch: Fetch, jp_serverapp: ServerApp, home: Path, store: EventStore
) -> None:
    await ask(jp_fetch, "state")
    store.close()
    lock = FileLock(home / f"{FILE_NAME}.lock")
    while not lock.seize(0.05):
        jp_serverapp.web_app.settings[SETTING].record.close()
    code, message = await refusal(jp_fetch, "state")
    assert (code, "locked" in message) == (503, True)
    lock.close()
    assert (await ask(jp_fetch, "state"))["jobs"] == []
