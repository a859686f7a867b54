"""Several machines for one script: one budget, one network; they end by themselves and by whoever has rented them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
from collections.abc import Coroutine
from typing import Any

import pytest

from choline_jupyter.errors import HostError
from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import ANY_NETWORK
from choline_jupyter.providers.provider import MULTI_NODE
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.nodes.purse import Purse
from choline_jupyter.session.options import parse_cell
from choline_jupyter.session.spec import SessionSpec
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.rent.tenant import LINE, Tenant
from tests.fakes.machine_provider import MachineProvider

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


class Pair:
    """Two sessions on machines of one network. The cheapest machine is in another, and alone there."""

    def __init__(self, tenant: Tenant, line: str) -> None:
        self.tenant = tenant
        places = ("attic", "cellar", "cellar", "cellar")
        offers = [*tenant.provider.offers, *tenant.provider.offers][: len(places)]
        tenant.provider.offers = [
            dataclasses.replace(offer, name=f"{place}-{number}", host=f"host-{number}", network=place)
            for number, (offer, place) in enumerate(zip(offers, places, strict=True))
        ]
        spec = make_spec("train.py", parse_cell(line).options, ("train.py",))
        assert spec.rent
        self.purse = Purse(tenant.client.engine, spec.rent)
        self.specs = [dataclasses.replace(spec, name=f"node {place}") for place in range(2)]

    def rent(self, specs: list[SessionSpec] | None = None) -> list[LiveSession]:
        return self.tenant.client.call(self.purse.rent(specs or self.specs))

    def find_handle(self, session: LiveSession) -> str:
        """Of the machine that it has lived on."""
        [machine] = self.tenant.tenancy.fleet.ledger.list_of_session(session.row.id)
        return machine.handle

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.tenant.client.call(coroutine)


@pytest.fixture
def pair(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr(MachineProvider, "capabilities", MachineProvider.capabilities | {MULTI_NODE})
    return Pair(tenant, LINE)


def test_they_share_the_budget_and_end_by_themselves(pair: Pair, tenant: Tenant) -> None:
    pair = Pair(tenant, f"{LINE} --lease 3s --hold 2s")
    pair.rent()
    fleet = pair.tenant.tenancy.fleet
    first, second = pair.tenant.list_open()
    assert {one.state for one in (first, second)} == {InstanceState.READY}
    assert 1.99 < first.budget + second.budget <= 2.0
    assert first.budget != pytest.approx(second.budget, abs=0.01), "they do not cost the same"
    assert fleet.find_left(first) == pytest.approx(fleet.find_left(second), rel=0.01)
    assert len(pair.tenant.asked) == 1
    assert "Rent 2 machines, each 4x RTX 3090 on memory" in pair.tenant.asked[0]
    assert {order.offer.network for order in pair.tenant.provider.alive.values()} == {"cellar"}
    pair.tenant.unplug()
    wait_until(lambda: not (pair.tenant.provider.lives("m1") or pair.tenant.provider.lives("m2")))


def test_a_lost_one_is_replaced_in_the_same_network_within_the_budget(pair: Pair) -> None:
    first, lost = pair.rent()
    pair.call(pair.tenant.provider.destroy(pair.find_handle(lost)))
    pair.call(pair.purse.give_back(lost))
    assert [one.session for one in pair.tenant.list_open()] == [first.row.id]
    assert lost.has_ended
    [new] = pair.rent([pair.specs[1]])
    kept, other = pair.tenant.list_open()
    assert other.session == new.row.id
    assert {order.offer.network for order in pair.tenant.provider.alive.values()} == {"cellar"}
    spent = pair.purse.add_up()
    assert spent.machines == 3
    assert kept.budget + other.budget <= 2.0
    assert len(pair.tenant.asked) == 1, "the user has agreed to the budget as a whole"
    assert pair.call(pair.purse.end())
    assert not pair.tenant.provider.alive
    assert not pair.tenant.list_open()
    assert pair.purse.add_up().total >= spent.total


def test_one_that_is_silent_but_there_is_ended_before_another_is_paid_for(pair: Pair) -> None:
    first, silent = pair.rent()
    pair.call(pair.purse.give_back(silent))
    assert list(pair.tenant.provider.alive) == [pair.find_handle(first)]
    assert pair.tenant.client.engine.store.find_session(silent.row.id).state.is_open is False  # type: ignore[union-attr]


def test_nothing_is_rented_with_what_is_not_left(pair: Pair) -> None:
    first, lost = pair.rent()
    pair.call(pair.purse.give_back(lost))
    pair.purse.budget = 0.5  # what the other one may cost is more
    with pytest.raises(HostError, match=r"Of 0\.50 USD nothing is left\."):
        pair.rent([pair.specs[1]])
    assert list(pair.tenant.provider.alive) == [pair.find_handle(first)]


def test_what_has_come_is_ended_however_far_the_others_were(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gives up when both machines are there and nobody has heard of them yet."""

    async def interrupt(*_: Any) -> LiveSession:
        raise asyncio.CancelledError

    monkeypatch.setattr(pair.tenant.client.engine, "settle", interrupt)
    with pytest.raises(concurrent.futures.CancelledError):
        pair.rent()
    assert len(pair.tenant.provider.alive) == 2
    assert pair.call(pair.purse.end())
    assert not pair.tenant.provider.alive


def test_wish_of_any_network_is_not_in_what_the_user_wrote(pair: Pair) -> None:
    """Recovery of one session alone has no network to ask for: what nodes need is for their own rent."""
    assert all(spec.rent and spec.rent.wish.network != ANY_NETWORK for spec in pair.specs)
