"""What a cell has besides its code when its machine is lost: several ranks, secrets, a say on its checkpoints; a second loss."""

from __future__ import annotations

import pytest

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobState
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import read_reply, read_text
from tests.e2e.rent.tenant import Tenant
from tests.e2e.rent.test_recovery import follow, wait_for_checkpoint
from tests.e2e.rent.typist import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RANKS = "--gpu 4x3090 --ranks 2 --provider memory --budget 2"
PREPARE = """
import os, time, torch
import torch.distributed as dist
from choline_jupyter import checkpoint, resume
rank, state = int(os.environ["RANK"]), torch.ones(1, dtype=torch.int64)
"""
TRAIN = """
found = resume(state=state)
for step in range(found.step + 1, 6):
    part = state * (rank + 3) + step
    dist.all_reduce(part)
    state.copy_(part % 1009)
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
    [shown] = [one.read_content()["data"]["text/plain"] for one in again if one.kind is Kind.RESULT and one.series.rank == 0]
    assert shown == str(state + 2)


def test_a_secret_that_is_known_goes_along(tenant: Tenant) -> None:
    """Also to the earlier cell that made what this one reads."""
    session = tenant.open()
    tenant.client.run(session, "import os, time\nlength = len(os.environ['TOKEN'])", secrets={"TOKEN": "tolstoy"})
    code = "print('begun', length, os.environ['TOKEN'], flush=True)\nwhile not os.path.exists('../../go'): time.sleep(0.01)"
    job = tenant.client.start(session, code, secrets={"TOKEN": "tolstoy"})
    events: list[Event] = []
    follow(tenant, job, events, "begun 7")
    lose(tenant)
    wait_until(lambda: "m2" in tenant.provider.machines and tenant.provider.machines["m2"].is_running)
    events += tenant.client.finish(session, job)
    assert read_text(events).count("begun 7") == 2
    assert "tolstoy" not in read_text(events)


def test_a_secret_that_nobody_knows_ends_the_job(tenant: Tenant) -> None: ...
