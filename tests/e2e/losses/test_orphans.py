"""A notebook's kernel is killed while its job runs: the keeper follows the job, and is gone when it has ended."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from choline_jupyter.model.job import JobState
from choline_jupyter.session.engine import Engine
from choline_jupyter.session.keeper import Keeper
from choline_jupyter.session.report import render_logs
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.losses.engine_client import EngineClient

pytestmark = pytest.mark.e2e

COUNT = """
import pathlib, time
print('first', flush=True)
while not pathlib.Path('go').exists():
    time.sleep(0.01)
print('last', flush=True)
"""


def keep() -> None:
    async def serve() -> None:
        await Keeper(Engine(asyncio.get_running_loop())).serve()

    asyncio.run(serve())


def count_followers(client: EngineClient) -> int:
    agent = client.call(client.engine.describe("local", "this machine"))
    assert agent is not None
    return int(agent["sessions"][0]["followers"])


def test_the_keeper_brings_what_nobody_follows(home: Isolation, client: EngineClient) -> None:
    session = client.open("orphan")
    job = client.start(session, COUNT)
    while "first" not in render_logs(client.engine.store.read_job(job)):
        session.feed.get(1)
    client.close()
    keeper = threading.Thread(target=keep)
    keeper.start()
    (Path(home.folder) / "go").touch()
    keeper.join(50)
    assert not keeper.is_alive()
    other = EngineClient()
    row = other.engine.store.find_job(job)
    assert row is not None
    assert row.state is JobState.DONE
    assert render_logs(other.engine.store.read_job(job)) == "first\nlast\n"
    other.close()


def test_a_job_that_a_notebook_follows_is_left_to_it(home: Isolation, client: EngineClient) -> None:
    session = client.open("followed")
    job = client.start(session, COUNT)
    client.confirm(session, job)
    wait_until(lambda: count_followers(client) == 1)
    keeper = threading.Thread(target=keep)
    keeper.start()
    keeper.join(3)
    assert keeper.is_alive()
    assert count_followers(client) == 1
    (Path(home.folder) / "go").touch()
    client.finish(session, job)
    keeper.join(50)
    assert not keeper.is_alive()
