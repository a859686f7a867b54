"""A machine is lost in the middle of a training: the cell goes on on another one by itself, as if nothing had happened."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobState
from choline_jupyter.session.keeper import Keeper
from choline_jupyter.session.rent.session_money import add_up
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.losses.engine_client import EngineClient, read_reply, read_text
from tests.e2e.rent.tenant import Tenant
from tests.fakes.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PREPARE = """
import torch, time
from choline_jupyter import checkpoint, log, resume
torch.manual_seed(7)
net = torch.nn.Sequential(torch.nn.Linear(20, 20), torch.nn.Dropout(0.5), torch.nn.Linear(20, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
"""
TRAIN = """
start = resume(net=net, optimizer=optimizer).step + 1
for step in range(start, 8):
    loss = net(torch.randn(8, 20)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    print("step %d/8 loss %.9f" % (step, loss), flush=True)
    checkpoint(step, loss=loss, net=net, optimizer=optimizer)
    while step == 4 and start == 0 and dies:
        time.sleep(0.01)
"""


def read_losses(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("step ")]


def follow(tenant: Tenant, job: str, events: list[Event], until: str) -> None:
    """Take events until so much was printed."""
    session = next(iter(tenant.client.engine.sessions.values()))
    while until not in read_text(events):
        event = session.feed.get(60)
        assert event
        events += [event] if event.job == job else []


def test_a_training_goes_on_elsewhere_in_the_same_job(tenant: Tenant) -> None:
    tenant.tenancy.period = 0.5
    session = tenant.open()
    tenant.client.run(session, PREPARE)
    undisturbed = read_losses(read_text(tenant.client.run(session, "dies = False\n" + TRAIN)))
    assert len(undisturbed) == 8
    tenant.client.run(session, PREPARE)
    tenant.client.run(session, "dies = True")
    job = tenant.client.start(session, TRAIN)
    events: list[Event] = []
    follow(tenant, job, events, "step 4/8")
    [lost] = tenant.list_open()
    tenant.client.call(tenant.provider.destroy("m1"))
    events += tenant.client.finish(session, job)
    assert read_reply(events)["status"] == "ok"
    losses = read_losses(read_text(events))
    assert losses[:5] == undisturbed[:5]
    again = losses[5:]
    assert again == undisturbed[-len(again) :]
    assert len(again) >= 3
    row = tenant.client.engine.store.find_job(job)
    assert row
    assert (row.state, row.attempt) == (JobState.DONE, 2)
    [machine] = tenant.list_open()
    assert (machine.label != lost.label, machine.epoch, session.row.epoch) == (True, 2, 2)
    told = [one.read_content() for one in events if one.kind is Kind.STATE]
    [line] = [fact["text"] for fact in told if fact.get("state") == "continued"]
    assert "was lost (gone) after" in line
    assert "continuing on 4x RTX 3090 on memory" in line
    assert "from step " in line
    account = add_up(tenant.tenancy.fleet, session.row.id)
    assert account.spent.total > tenant.tenancy.fleet.find_cost(machine).total
    assert account.budget == pytest.approx(2.0)


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_where_no_other_machine_comes_the_job_ends_and_says_why(tenant: Tenant, *, is_interrupted: bool) -> None:
    tenant.tenancy.period = 0.5
    session = tenant.open()
    job = tenant.client.start(session, "print('on', flush=True)\nimport time\ntime.sleep(600)")
    follow(tenant, job, [], "on")
    if is_interrupted:  # whoever interrupts while another machine is looked for wants none
        tenant.provider.before = lambda call: session.interrupt(job) if call == "offers" else None
    else:
        tenant.provider.offers.clear()
    tenant.client.call(tenant.provider.destroy("m1"))
    fact = tenant.client.finish(session, job)[-1].read_content()
    assert fact["state"] == "died"
    assert "was lost (gone)" in fact["stopped"]
    assert ("it was interrupted" if is_interrupted else "No offer fits") in fact["stopped"]
    row = tenant.client.engine.store.find_job(job)
    assert row
    assert not row.state.is_open
    wait_until(lambda: not tenant.list_open())
    assert not tenant.provider.alive


def wait_for_checkpoint(tenant: Tenant, job: str, events: list[Event]) -> int:
    """Take events until there is one more checkpoint; its step."""
    session = next(iter(tenant.client.engine.sessions.values()))
    while True:
        event = session.feed.get(60)
        assert event
        events += [event] if event.job == job else []
        if event.kind is Kind.CHECKPOINT:
            return int(event.read_content()["step"])


LONG = """
start = resume(net=net, optimizer=optimizer).step + 1
step = start
print("begun", flush=True)
while True:
    loss = net(torch.randn(8, 20)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    checkpoint(step, every=1_000_000, loss=loss, net=net, optimizer=optimizer)
    if start > 1:
        print("went on behind", start - 1)
        break
    step += 1
    time.sleep(0.002)
"""


def find_process(machine: Machine, is_wanted: Callable[[psutil.Process], bool]) -> psutil.Process:
    """The oldest process of a machine that is wanted."""
    home, found = str(machine.folder / "home"), []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            found += [process] if process.environ().get("HOME") == home and is_wanted(process) else []
    return min(found, key=lambda process: process.create_time())


def find_watchdog(process: psutil.Process) -> bool:
    return process.cmdline()[-1:] == ["/var/tmp/choline-watch/watch"]


def find_supervisor(process: psutil.Process) -> bool:
    """By where it writes; fork servers do, too."""
    log = Path(f"/proc/{process.pid}/fd/1").readlink().name
    return log == "supervisor.log" and "forkserver" not in process.cmdline()


@pytest.mark.parametrize("is_wanted", [find_supervisor, find_watchdog])
def test_notice_makes_a_checkpoint_that_comes_home(tenant: Tenant, is_wanted: Callable[[psutil.Process], bool]) -> None:
    """A real SIGTERM, to the supervisor or to the first process; no step was due."""
    tenant.tenancy.period = 0.5
    session = tenant.open()
    tenant.client.run(session, PREPARE)
    job = tenant.client.start(session, LONG)
    events: list[Event] = []
    assert wait_for_checkpoint(tenant, job, events) == 0  # it is due
    find_process(tenant.provider.machines["m1"], is_wanted).send_signal(signal.SIGTERM)
    saved = wait_for_checkpoint(tenant, job, events)
    notices = [one.read_content() for one in events if one.kind is Kind.STATE]
    assert any("about to be taken away" in str(fact.get("stage")) for fact in notices)
    tenant.client.call(session.finish_fetches())
    tenant.client.call(tenant.provider.destroy("m1"))
    events += tenant.client.finish(session, job)
    assert read_text(events) == f"begun\nbegun\nwent on behind {saved}\n"


def test_it_goes_on_while_no_notebook_is_open(tenant: Tenant) -> None:
    """The keeper has it go on; whoever attaches later finds one job from its first line to its last."""
    session = tenant.open()
    tenant.client.run(session, PREPARE + "dies = True")
    job = tenant.client.start(session, TRAIN, detached=True)
    follow(tenant, job, [], "step 4/8")
    tenant.client.engine.store.flush()
    tenant.client.close()
    keeping = EngineClient()
    keeping.engine.tenancy.watch = lambda: None
    keeping.engine.tenancy.period = 0.5
    keeper = Keeper(keeping.engine)
    keeper.grace = 0.0
    keeping.call(tenant.provider.destroy("m1"))
    serving = asyncio.run_coroutine_threadsafe(keeper.serve(), keeping._loop)
    reader = EventStore(keeping.engine.directory)
    wait_until(lambda: reader.list_jobs(limit=1)[0].state is JobState.DONE)
    losses = read_losses(read_text(reader.read_job(job)))
    assert losses[:5][-1].startswith("step 4/8")
    assert losses[-1].startswith("step 7/8")
    [row] = [row for row in reader.list_sessions() if row.id == session.row.id]
    assert row.epoch == 2
    reader.close()
    serving.cancel()
    keeping.close()
