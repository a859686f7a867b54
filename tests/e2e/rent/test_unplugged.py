"""Promise P2: the laptop never returns, and the machine ends by itself."""

from __future__ import annotations

import dataclasses

import pytest

from choline_jupyter.model.offer import Offer
from choline_jupyter.session.rent import renter
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.rent.tenant import LINE, Tenant


def test_idle_at_its_lease(tenant: Tenant) -> None:
    session = tenant.open(f"{LINE} --lease 3s --hold 2s")
    assert tenant.client.evaluate(session, "1 + 1") == "2"
    tenant.unplug()
    wait_until(lambda: not tenant.provider.lives("m1"))


def test_busy_at_its_deadline(tenant: Tenant) -> None:
    session = tenant.open(f"{LINE} --lease 3s --deadline 15s")
    tenant.client.confirm(session, tenant.client.start(session, "import time\nwhile True: time.sleep(1)"))
    tenant.unplug()
    wait_until(lambda: not tenant.provider.lives("m1"))


def test_busy_when_its_budget_is_spent(tenant: Tenant) -> None:
    tenant.provider.hour = 400.0
    for number, offer in enumerate(tenant.provider.offers):
        tenant.provider.offers[number] = _price(offer, 400.0)
    session = tenant.open(LINE.replace("--budget 2", "--budget 4"))  # 36 seconds
    tenant.client.confirm(session, tenant.client.start(session, "import time\nwhile True: time.sleep(1)"))
    tenant.unplug()
    wait_until(lambda: not tenant.provider.lives("m1"))


def test_when_nobody_ever_comes(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client dies between create and its first connection."""
    monkeypatch.setattr(renter, "_FIRST_CONTACT", 3.0)
    monkeypatch.setattr(type(tenant.provider), "boot", 1.0)
    tenant.provider.before = Death()
    with pytest.raises(ClientGone):
        tenant.open()
    assert tenant.provider.lives("m1")
    wait_until(lambda: not tenant.provider.lives("m1"))


class ClientGone(Exception):
    """Nothing of the client does anything from here on."""


class Death:
    """Comes when the first machine boots, and stays."""

    def __init__(self) -> None:
        self._is_here = False

    def __call__(self, call: str) -> None:
        self._is_here = self._is_here or call == "booted"
        if self._is_here:
            raise ClientGone


def _price(offer: Offer, hour: float) -> Offer:
    return dataclasses.replace(offer, price=dataclasses.replace(offer.price, hour=hour))
