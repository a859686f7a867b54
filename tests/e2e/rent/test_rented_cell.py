"""A cell on a rented machine, from the offer to the last cent."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from choline_jupyter.errors import SessionEnded
from choline_jupyter.model.instance import InstanceState
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.rent.limits import Limits
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.losses.engine_client import read_reply, read_text
from tests.e2e.rent.tenant import LINE, Tenant


def test_a_cell_rents_a_machine_runs_there_and_ends_it(tenant: Tenant) -> None:
    session = tenant.open()
    [question] = tenant.asked
    assert "4x RTX 3090 on memory for 0.40 USD/h, at most 2.00 USD" in question
    [machine] = tenant.list_open()
    assert (machine.state, machine.session) == (InstanceState.READY, session.row.id)
    events = tenant.client.run(session, "x = 40\nprint('there')")
    assert read_reply(events)["status"] == "ok"
    assert read_text(events) == "there\n"
    assert tenant.client.evaluate(tenant.open(), "x + 2") == "42"  # the same session, machine and kernel
    assert tenant.provider.created == 1
    assert tenant.client.call(tenant.client.engine.stop(session.row)) is True
    assert not tenant.provider.alive
    assert not tenant.list_open()


def test_the_machine_knows_how_long_its_budget_lasts(tenant: Tenant) -> None:
    """Two dollars at 0.40 and the disk last less than five hours: while a job runs, that comes before all else."""
    session = tenant.open()
    code = "open('/var/tmp/choline-watch/end').read(), open('/proc/uptime').read()"
    end, uptime = ast.literal_eval(tenant.client.evaluate(session, code))
    assert 4.5 * 3600 < int(end) - float(uptime.split()[0]) < 5 * 3600


def test_a_later_cell_lowers_the_limits_at_once(tenant: Tenant) -> None:
    session = tenant.open()
    tenant.client.evaluate(session, "1")
    limits = Limits(1.0, lease=60.0, deadline=7200.0, hold=0.0)
    tenant.client.call(tenant.client.engine.limit(session, limits))
    [machine] = tenant.list_open()
    assert (machine.budget, machine.lease, machine.hold) == (1.0, 60.0, 0.0)
    tenant.client.call(tenant.client.engine.limit(session, replace(limits, budget=5.0)))
    assert tenant.list_open()[0].budget == 1.0
    code = "open('/var/tmp/choline-watch/end').read(), open('/proc/uptime').read()"
    end, uptime = ast.literal_eval(tenant.client.evaluate(session, code))
    assert 7000 < int(end) - float(uptime.split()[0]) < 7200


def test_a_host_that_never_runs_is_ended_and_the_next_is_taken(tenant: Tenant) -> None:
    tenant.provider.states["m1"] = InstanceState.DEAD
    session = tenant.open()
    assert tenant.client.evaluate(session, "1 + 1") == "2"
    assert set(tenant.provider.alive) == {"m2"}
    [failure] = tenant.tenancy.fleet.ledger.money.list_failures(0)
    assert failure.host == "host-0"


def test_an_impostor_is_not_let_near(tenant: Tenant) -> None:
    """Whoever answers at the address with another host key gets no byte of ours; the machine is ended."""
    tenant.provider.impostors.add("m1")
    tenant.tenancy.greeting = 2.0
    assert tenant.client.evaluate(tenant.open(), "1 + 1") == "2"
    assert set(tenant.provider.alive) == {"m2"}


def test_other_options_want_another_machine(tenant: Tenant) -> None:
    first = tenant.open()
    second = tenant.open(LINE.replace("memory", "memory --max-price 0.45"))
    assert second.row.id == first.row.id  # the machine is what was asked for
    tenant.provider.offers = [offer for offer in tenant.provider.offers if offer.price.hour > 0.45]
    assert tenant.provider.created == 1


@pytest.mark.parametrize("is_asleep", [False, True])
def test_a_cell_hears_that_its_machine_is_gone(tenant: Tenant, is_asleep: bool) -> None:
    """Whether it runs there or is only on its way: nobody waits for ever."""
    tenant.tenancy.period = 0.5
    session = tenant.open(f"{LINE} --on-loss stop")
    if not is_asleep:
        job = tenant.client.start(session, "import time\ntime.sleep(600)")
        tenant.client.confirm(session, job)
    tenant.client.call(tenant.provider.destroy("m1"))
    if is_asleep:
        job = tenant.client.start(session, "1 + 1")
    assert hears_its_end(tenant, session, job)
    wait_until(lambda: not tenant.list_open())


def hears_its_end(tenant: Tenant, session: LiveSession, job: str) -> bool:
    """Whether the job is told as ended, or what waits for it fails, because its machine is gone."""
    try:
        return "died" in str(tenant.client.finish(session, job)[-1].read_content())
    except SessionEnded:
        return True
