"""A machine is stopped by its provider, and its user waits for it: it runs again, or does not, or is not wanted any more."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

import pytest

from choline_jupyter.errors import HostError
from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.job import JobState
from choline_jupyter.model.session import SessionState
from choline_jupyter.providers.failure import ProviderFailure
from choline_jupyter.session.keeper import Keeper
from choline_jupyter.session.live import LiveSession
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.losses.engine_client import EngineClient, read_reply, read_text
from tests.e2e.rent.tenant import LINE, Tenant
from tests.e2e.rent.test_recovery import follow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WAITING = f"{LINE} --on-loss wait"
# Counts to 6, and stays where it is told to. It keeps its count in the project's folder, which the first machine shares.
COUNT = """
import os, time
def read(name):
    return int(open(name).read()) if os.path.exists(name) else 0
count = read("count")
while count < 6:
    count += 1
    with open("new", "w") as out:
        out.write(str(count))
    os.replace("new", "count")
    print("at", count, flush=True)
    while read("stay") == count:
        time.sleep(0.01)
"""


def stay(count: int) -> None:
    """The job that counts stays there, and nowhere else."""
    Path("stay.new").write_text(str(count))
    Path("stay.new").replace("stay")


def begin(tenant: Tenant, line: str = WAITING, *, detached: bool = False) -> tuple[LiveSession, str, list[Event]]:
    """A job that stays at 3."""
    tenant.tenancy.period = 0.2
    stay(3)
    session = tenant.open(line)
    job = tenant.client.start(session, COUNT, detached=detached)
    events: list[Event] = []
    follow(tenant, job, events, "at 3")
    return session, job, events


def halt(tenant: Tenant, session: LiveSession) -> None:
    """The machine is halted, and this process knows."""
    tenant.provider.outbid("m1")
    wait_until(lambda: session.stop_recovery)


def read_count(events: list[Event]) -> list[str]:
    return read_text(events).splitlines()


def find_continued(events: list[Event]) -> list[str]:
    told = [event.read_content() for event in events if event.kind is Kind.STATE]
    return [str(fact["text"]) for fact in told if fact.get("state") == "continued"]


def test_it_goes_on_on_the_same_machine(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when it is stopped again."""
    session, job, events = begin(tenant)
    [machine] = tenant.list_open()
    halt(tenant, session)
    stay(5)
    tenant.provider.win("m1")
    follow(tenant, job, events, "at 5")
    halt(tenant, session)
    stay(0)
    tenant.provider.win("m1")
    events += tenant.client.finish(session, job)
    assert read_reply(events)["status"] == "ok"
    # By now it has a folder of its own, which begins with what is at home: a count of 3.
    assert read_count(events) == [f"at {count}" for count in (1, 2, 3, 4, 5, 4, 5, 6)]
    for line in find_continued(events):
        assert "was preempted, stood for" in line
        assert "runs again, going on from the beginning" in line  # nothing of it has to come home here
    assert len(find_continued(events)) == 2
    [same] = tenant.list_open()
    assert (same.label, same.state) == (machine.label, InstanceState.READY)
    assert (session.row.machine, session.row.epoch, tenant.provider.created) == (machine.label, 3, 1)
    row = tenant.client.engine.store.find_job(job)
    assert row
    assert (row.state, row.attempt) == (JobState.DONE, 3)
    told = capsys.readouterr().err
    assert told.count("waiting for it for at most 59 min") == 2
    assert told.count("then another is looked for; meanwhile its disk costs 0.0055 USD/h (4.00 USD a month)") == 2
    assert tenant.client.evaluate(session, "count") == "6"


def test_what_it_had_put_out_unheard_is_on_its_disk(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    session, job, events = begin(tenant)
    cut(tenant, session, monkeypatch)
    stay(5)
    wait_until(lambda: Path("count").read_text() == "5")
    halt(tenant, session)
    tenant.provider.win("m1")
    events += tenant.client.finish(session, job)
    assert read_count(events) == [f"at {count}" for count in range(1, 7)]
    assert read_count(list(tenant.client.engine.store.read_job(job))) == read_count(events)
    assert read_reply(events)["status"] == "ok"


def cut(tenant: Tenant, session: LiveSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine cannot be reached any more on the way that is taken to it now."""
    connection = session.connection
    assert connection._channel

    async def fail() -> None:
        raise HostError("no way")

    monkeypatch.setattr(connection, "_connect", fail)
    tenant.client.post(connection._channel.writer.transport.abort)
    wait_until(lambda: not connection.is_connected)


def test_one_that_does_not_come_back_is_replaced(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    session, job, events = begin(tenant, f"{WAITING} --wait 1s")
    halt(tenant, session)
    events += tenant.client.finish(session, job)
    assert read_count(events) == [f"at {count}" for count in range(1, 7)]
    assert set(tenant.provider.alive) == {"m2"}
    [line] = find_continued(events)
    assert "was lost (preempted) after" in line
    told = capsys.readouterr().err
    assert told.index("has not come back, and is gone with its disk") < told.index("looking for another")
    assert session.row.epoch == 2


def test_one_that_vanishes_is_replaced(tenant: Tenant) -> None:
    session, job, events = begin(tenant)
    halt(tenant, session)
    tenant.client.call(tenant.provider.destroy("m1"))
    events += tenant.client.finish(session, job)
    assert read_count(events) == [f"at {count}" for count in range(1, 7)]
    assert set(tenant.provider.alive) == {"m2"}


def test_an_interrupt_ends_the_wait_and_the_disk(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    session, job, _ = begin(tenant)
    halt(tenant, session)
    tenant.client.post(session.interrupt, job)
    fact = tenant.client.finish(session, job)[-1].read_content()
    assert "it was interrupted" in fact["stopped"]
    wait_until(lambda: not tenant.list_open())
    assert not tenant.provider.alive
    assert tenant.provider.created == 1
    wait_until(lambda: "is gone, with its disk, and costs nothing more" in capsys.readouterr().err)


def test_whoever_stops_the_session_ends_the_wait(tenant: Tenant) -> None:
    session, job, _ = begin(tenant)
    halt(tenant, session)
    other = EngineClient()
    other.engine.tenancy.watch = lambda: None
    assert other.call(other.engine.stop(other.engine.find_row(session.row.id)))
    other.close()
    fact = tenant.client.finish(session, job)[-1].read_content()
    assert "was stopped" in fact["stopped"]
    assert not tenant.provider.alive
    assert tenant.provider.created == 1


def test_where_nobody_waits_it_is_ended_with_its_disk(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its provider does not end is said, with its price."""
    session, job, events = begin(tenant, LINE)
    is_deaf = True

    def fail(call: str) -> None:
        if call == "destroy" and is_deaf:
            raise ProviderFailure("it does not answer.")

    tenant.provider.before = fail
    told = io.StringIO()  # capsys may lose what is written while it is asked
    monkeypatch.setattr(sys, "stderr", told)
    tenant.provider.outbid("m1")
    wait_until(lambda: "is being ended; until its provider has taken that, its disk costs" in told.getvalue())
    is_deaf = False
    events += tenant.client.finish(session, job)
    assert set(tenant.provider.alive) == {"m2"}


def test_it_goes_on_while_no_notebook_is_open(tenant: Tenant) -> None:
    session, job, _ = begin(tenant, detached=True)
    tenant.client.engine.store.flush()
    tenant.client.close()
    keeping = EngineClient()
    keeping.engine.tenancy.watch = lambda: None
    keeping.engine.tenancy.period = 0.2
    keeper = Keeper(keeping.engine)
    keeper.grace = 0.0
    tenant.provider.outbid("m1")
    serving = asyncio.run_coroutine_threadsafe(keeper.serve(), keeping._loop)
    reader = EventStore(keeping.engine.directory)
    is_waited = lambda: [row.state for row in reader.list_sessions()] == [SessionState.LOST]  # noqa: E731
    wait_until(is_waited)
    tenant.provider.win("m1")
    wait_until(lambda: reader.list_jobs(limit=1)[0].state is JobState.DONE)
    assert read_count(list(reader.read_job(job))) == [f"at {count}" for count in range(1, 7)]
    [row] = reader.list_sessions()
    assert (row.epoch, row.machine, tenant.provider.created) == (2, session.row.machine, 1)
    reader.close()
    serving.cancel()
    keeping.close()
