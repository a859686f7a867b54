"""One machine of each real provider: rented, reached, ended, paid for. Run by hand only, with real money:

    CHOLINE_LIVE_BUDGET=0.50 VAST_API_KEY=... python -m pytest -m live tests/live

Every provider that has a key is tried, on its cheapest offer; none where half an hour of it would pass the budget (in
USD, for each provider). The machine ends itself after half an hour whatever happens here, where its provider can do that.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.names import make_identifier
from choline_jupyter.model.offer import GIB, Offer, Wish
from choline_jupyter.providers.keys import find_own_key, make_key
from choline_jupyter.providers.provider import FREE, STARTUP, Contact, Order, Provider, Sighting
from choline_jupyter.providers.registry import list_names, load_provider
from choline_jupyter.providers.rented import note_host
from choline_jupyter.providers.startup import make_startup, make_watchdog
from choline_jupyter.transport.channel import TransportError

HALF_HOUR = 1800.0
DISK = 20 * GIB
GREETING = 300.0  # seconds from `running` until the machine lets us in

pytestmark = [pytest.mark.live, pytest.mark.timeout(3000)]


def list_ready() -> list[str]:
    """Rented providers with a key, where there is a budget at all."""
    if not os.environ.get("CHOLINE_LIVE_BUDGET"):
        return []
    providers = [load_provider(name) for name in list_names()]
    return [one.name for one in providers if FREE not in one.capabilities and not one.check_ready()]


@pytest.mark.parametrize("name", list_ready())
def test_a_real_machine_comes_answers_and_goes(name: str, tmp_path: Path) -> None:
    asyncio.run(rent_and_end(load_provider(name), tmp_path))


async def rent_and_end(provider: Provider, keys: Path) -> None:
    offer = await find_affordable(provider)
    host, public, label = make_key(), find_own_key(keys), make_identifier("choline-live")
    watchdog = make_watchdog(HALF_HOUR, HALF_HOUR, provider.find_end()) if provider.find_end() else ""
    script = make_startup(host.private, public, watchdog, provider.user) if STARTUP in provider.capabilities else ""
    order = Order(label, offer, DISK, HALF_HOUR, public, host.private, script)
    try:
        handle = await provider.create(order)
        assert label in {sighting.label for sighting in await provider.list_mine()}
        sighting = await wait_ready(provider, handle)
        assert sighting.hour is None or sighting.hour <= offer.price.hour * 1.02
        note_host(keys, label, sighting.address, host.public)
        await greet(provider, Contact(label, handle, sighting.address, host.public, keys))
    finally:
        await end(provider, label)


async def find_affordable(provider: Provider) -> Offer:
    """The cheapest, within the budget."""
    offers = await provider.list_offers(Wish(count=1, disk=DISK))
    assert offers, "nothing is offered"
    cost = offers[0].price.find_hourly(DISK) * HALF_HOUR / 3600
    assert cost <= float(os.environ["CHOLINE_LIVE_BUDGET"]), f"half an hour would cost {cost:.2f} USD"
    return offers[0]


async def wait_ready(provider: Provider, handle: str) -> Sighting:
    until = time.monotonic() + provider.boot
    while time.monotonic() < until:
        sighting = await provider.describe(handle)
        if sighting and sighting.state is InstanceState.READY:
            return sighting
        assert sighting is None or sighting.state is not InstanceState.DEAD, sighting
        await asyncio.sleep(5)
    raise AssertionError(f"it did not run within {provider.boot:.0f} seconds")


async def greet(provider: Provider, contact: Contact) -> None:
    """An agent starts on it, over a connection whose host key is the one that it was given."""
    until = time.monotonic() + GREETING
    while True:
        try:
            channel = await provider.connect(contact).open()
        except TransportError:
            assert time.monotonic() < until
            await asyncio.sleep(5)
            continue
        await channel.close()
        return


async def end(provider: Provider, label: str) -> None:
    """Until two listings do not have it; what lives on is said by its number, so that it can be ended by hand."""
    absences, left = 0, ""
    for _ in range(60):
        ours = [sighting for sighting in await provider.list_mine() if sighting.label == label]
        absences = 0 if ours else absences + 1
        if absences == 2:
            return
        for sighting in ours:
            left = sighting.handle
            await provider.destroy(sighting.handle)
        await asyncio.sleep(5)
    raise AssertionError(f"STILL PAID FOR: {provider.name} {left}")
