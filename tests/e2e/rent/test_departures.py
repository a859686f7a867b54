"""A script that nobody waits for: its machine ends behind it, however it ended, and not before its files are home."""

from __future__ import annotations

import asyncio
import io
import sys

import pytest

from choline_jupyter.cli import command
from choline_jupyter.model.job import JobState
from choline_jupyter.model.session import SessionState
from choline_jupyter.session import departures
from choline_jupyter.session.departures import Departures
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.rent.tenant import Tenant
from tests.e2e.rent.typist import Typist, keep, wait_until
from tests.net.data_server import serve_data

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

LINE = "job.py --gpu 4x3090 --ranks 1 --provider memory --budget 2 --env none --detach"
WAITING = """
import pathlib, time
print("begun", flush=True)
while not pathlib.Path("~/go").expanduser().exists():
    time.sleep(0.01)
"""
FAILING = "open('made', 'w').write('of much work')\nraise SystemExit(3)\n"


@pytest.fixture
def typist(tenant: Tenant, home: Isolation, monkeypatch: pytest.MonkeyPatch) -> Typist:
    """At a terminal, in a folder with a script that makes a file and fails."""
    (home.folder / "job.py").write_text(FAILING)
    tenant.provider.hidden = [home.folder]
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(command, "start_keeper", lambda: None)
    return Typist(tenant.client)


def test_a_script_that_failed(tenant: Tenant, typist: Typist, home: Isolation) -> None:
    typist.type(LINE)
    typist.finish()
    tenant.client.close()
    with keep() as kept:
        wait_until(lambda: not tenant.provider.alive)
        assert kept.job.state is JobState.FAILED
        assert (home.folder / "made").read_text() == "of much work"


def test_a_script_whose_dataset_is_refused(tenant: Tenant, typist: Typist) -> None:
    """Also where the command has heard of it itself, and the keeper has followed nothing."""
    with serve_data() as server:
        typist.type(f"{LINE} --with {server.address}/none.bin")
        typist.finish()
        wait_until(lambda: typist.job.state is JobState.CANCELLED)
        tenant.client.close()
        with keep():
            wait_until(lambda: not tenant.provider.alive)


def test_what_was_told_to_stay_keeps_its_machine(tenant: Tenant, typist: Typist) -> None:
    typist.type(f"{LINE} --no-pull")
    typist.finish()
    tenant.client.close()
    with keep() as kept:
        wait_until(lambda: kept.find_session().state is SessionState.STOPPED)
        departures = Departures(kept.client.engine)
        kept.client.call(departures.look({kept.job.session}))
        kept.client.call(asyncio.wait_for(asyncio.gather(*departures._tasks.values()), 60))
        assert tenant.provider.alive
        kept.client.call(kept.client.engine.stop(kept.find_session()))


def test_a_script_whose_command_was_killed(
    tenant: Tenant, typist: Typist, home: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody had detached it, and nobody waits for it any more."""
    monkeypatch.setattr(departures, "_LATE", 0.0)
    (home.folder / "job.py").write_text(WAITING)
    typist.type(LINE.removesuffix(" --detach"))
    typist.wait_for("begun")
    tenant.client.close()
    with keep() as kept:
        wait_until(lambda: kept.job.session in kept.client.engine.sessions)
        (tenant.provider.machines["m1"].folder / "home/go").touch()
        wait_until(lambda: not tenant.provider.alive)
        assert kept.job.state is JobState.DONE
