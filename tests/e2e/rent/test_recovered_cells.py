"""What a cell has besides its code when its machine is lost: several ranks, secrets, a say on its checkpoints; a second loss."""

from __future__ import annotations

from typing import Any

import pytest

from choline_jupyter.cli.command import replay
from choline_jupyter.errors import KernelDied
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.job import JobState
from choline_jupyter.session.bulk import Bulk
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import read_reply, read_text
from tests.e2e.rent.tenant import Tenant
from tests.e2e.rent.test_recovery import follow, wait_for_checkpoint
from tests.e2e.rent.typist import keep, wait_for_file, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RANKS = "--gpu 4x3090 --ranks 2 --provider memory --budget 2"
PREPARE = """
import os, time, torch
import torch.distributed as dist
from choline_jupyter import checkpoint, resume
rank, state = int(os.environ["RANK"]), torch.ones(1, dtype=torch.int64)
"""
TRAIN = """
found = resume()
state = found["state"] if found else state
for step in range(found.step + 1, 6):
    part = state * (rank + 3) + step
    dist.all_reduce(part)
    state = part % 1009
    if rank == 0:
        print("step", step, "state", int(state), flush=True)
    checkpoint(step, state=state)
    while step == 3 and found.step < 0:
        time.sleep(0.01)
"""


@pytest.fixture
def tenant(tenant: Tenant, home: Isolation) -> Tenant:
    """Whose machines do not have the notebook's folder."""
    tenant.provider.hidden = [home.folder]
    tenant.tenancy.period = 0.5
    return tenant


def lose(tenant: Tenant, handle: str = "m1") -> None:
    tenant.client.call(tenant.provider.destroy(handle))


def test_a_cell_on_two_ranks(tenant: Tenant) -> None:
    session = tenant.open(RANKS)
    tenant.client.run(session, PREPARE)
    job = tenant.client.start(session, TRAIN)
    events: list[Event] = []
    follow(tenant, job, events, "step 3")
    tenant.client.call(session.finish_fetches())
    lose(tenant)
    events += tenant.client.finish(session, job)
    assert read_reply(events)["status"] == "ok"
    lines = [line for line in read_text(events).splitlines() if line.startswith("step")]
    state, whole = 1, []
    for step in range(6):
        state = sum(state * (rank + 3) + step for rank in range(2)) % 1009
        whole.append(f"step {step} state {state}")
    assert lines[:4] == whole[:4]
    assert lines[4:] == whole[-len(lines[4:]) :]
    assert 2 <= len(lines[4:]) < 6
    again = tenant.client.run(session, "int(state) + dist.get_world_size()")  # the session is whole
    [shown] = [
        one.read_content()["data"]["text/plain"] for one in again if one.kind is Kind.RESULT and one.series.rank == 0
    ]
    assert shown == str(state + 2)


# Makes one checkpoint on each machine and waits for its loss; ends when it has found as many as it is to.
WAIT = """
import os, time, torch
from choline_jupyter import checkpoint, resume
found = resume()
print("begun", found.step + 1, len(os.environ.get("TOKEN", "")), flush=True)
checkpoint(found.step + 1, ballast=torch.ones(3_000_000))
while found.step + 1 < LAST:
    time.sleep(0.01)
"""


def test_a_secret_that_is_known_goes_along(tenant: Tenant) -> None:
    """Also to the earlier cell that made what this one reads."""
    session, secrets = tenant.open(), {"TOKEN": "tolstoy"}
    tenant.client.run(session, "import os\nLAST = len(os.environ['TOKEN']) - 6", secrets=secrets)
    job = tenant.client.start(session, WAIT, secrets=secrets)
    events: list[Event] = []
    wait_for_checkpoint(tenant, job, events)
    tenant.client.call(session.finish_fetches())
    lose(tenant)
    events += tenant.client.finish(session, job)
    assert read_text(events) == "begun 0 7\nbegun 1 7\n"
    assert read_reply(events)["status"] == "ok"


def test_a_secret_that_nobody_knows_ends_the_job(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    """As for a keeper that did not start the job; whoever looks later is told."""
    session = tenant.open()
    job = tenant.client.start(session, "LAST = 1\n" + WAIT, secrets={"TOKEN": "tolstoy"}, detached=True)
    follow(tenant, job, [], "begun 0 7")
    tenant.client.close()
    with keep() as kept:
        kept.client.call(tenant.provider.destroy("m1"))
        wait_until(lambda: not kept.job.state.is_open)
        assert kept.job.state is JobState.LOST
        assert list(tenant.provider.machines) == ["m1"]  # nothing was rented for it
        with pytest.raises(KernelDied, match="its secret TOKEN is not known here"):
            replay(kept.bridge, kept.job)
    assert not tenant.provider.alive


def test_retention_holds_across_machines(tenant: Tenant, home: Isolation) -> None:
    session = tenant.open()
    job = tenant.client.start(session, KEEPING, training={"keep": "last=2,best=loss"})
    events: list[Event] = []
    follow(tenant, job, events, "step 3")
    wait_for_file(home.folder, f"checkpoints/{job}/*3.pt.json")
    lose(tenant)
    events += tenant.client.finish(session, job)
    assert read_reply(events)["status"] == "ok"
    tenant.client.call(session.finish_fetches())
    kept = sorted(path.name for path in (home.folder / "checkpoints" / job).glob("*.pt"))
    assert [int(name.removesuffix(".pt")[-10:]) for name in kept] == [
        1,
        6,
        7,
    ]  # the best is from the machine that was lost


KEEPING = """
import time, torch
from choline_jupyter import checkpoint, resume
found = resume()
for step in range(found.step + 1, 8):
    checkpoint(step, loss=abs(step - 1) + 1.0, state=torch.ones(1))
    print("step", step, flush=True)
    while step == 3 and found.step < 0:
        time.sleep(0.01)
"""


def test_the_next_machine_is_lost_while_it_boots(tenant: Tenant) -> None:
    """Another offer is taken when it is not there any more, not at the end of the time that it had for booting."""
    session, events, provider = tenant.open(), list[Event](), tenant.provider
    job = tenant.client.start(session, "LAST = 1\n" + WAIT)
    wait_for_checkpoint(tenant, job, events)
    tenant.client.call(session.finish_fetches())
    provider.states["m2"] = InstanceState.BOOTING
    looks = []

    def vanish(call: str) -> None:
        looks.extend([call] if call == "describe" and "m2" in provider.machines else [])
        if len(looks) > 1 and "m2" in provider.alive:
            del provider.alive["m2"]
            provider.machines["m2"].end()

    provider.before = vanish
    lose(tenant)
    events += tenant.client.finish(session, job)
    assert read_text(events) == "begun 0 0\nbegun 1 0\n"
    assert list(provider.alive) == ["m3"]


def test_the_next_machine_is_lost_while_it_is_filled(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint is on its way to it."""
    session, events = tenant.open(), list[Event]()
    job = tenant.client.start(session, "LAST = 1\n" + WAIT)
    wait_for_checkpoint(tenant, job, events)
    tenant.client.call(session.finish_fetches())
    put = Bulk.put

    async def put_late(bulk: Bulk, *arguments: Any) -> None:
        if "m3" not in tenant.provider.machines:
            await tenant.provider.destroy("m2")
        await put(bulk, *arguments)

    monkeypatch.setattr(Bulk, "put", put_late)
    lose(tenant)
    events += tenant.client.finish(session, job)
    assert read_text(events) == "begun 0 0\nbegun 1 0\n"
    check_end(tenant, job)


def test_the_next_machine_is_lost_too(tenant: Tenant) -> None:
    """When the job has begun again there."""
    session, events = tenant.open(), list[Event]()
    job = tenant.client.start(session, "LAST = 2\n" + WAIT)
    for handle in ("m1", "m2"):
        wait_for_checkpoint(tenant, job, events)
        tenant.client.call(session.finish_fetches())
        lose(tenant, handle)
    events += tenant.client.finish(session, job)
    assert read_text(events) == "begun 0 0\nbegun 1 0\nbegun 2 0\n"
    check_end(tenant, job)


def check_end(tenant: Tenant, job: str) -> None:
    """It has ended on its third machine, the only one that there is."""
    row = tenant.client.engine.store.find_job(job)
    assert row
    assert row.state is JobState.DONE
    assert list(tenant.provider.alive) == ["m3"]
    [machine] = tenant.list_open()
    assert machine.epoch == 3
