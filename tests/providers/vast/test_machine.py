"""A machine of the fake market is a real one: it has the key that it was given, runs our agent, and ends itself."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import Wish
from choline_jupyter.providers import startup
from choline_jupyter.providers.keys import find_own_key, make_key
from choline_jupyter.providers.provider import Contact, Sighting
from choline_jupyter.providers.rented import note_host
from choline_jupyter.providers.vast.provider import VastProvider
from choline_jupyter.transport.channel import TransportError
from tests.fakes.vast import VastCloud
from tests.providers.vast.conftest import make_order

PATIENCE = 40.0

pytestmark = [
    pytest.mark.vast,
    pytest.mark.kernel_feature,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs a kernel feature: namespaces, as root"),
]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[VastCloud]:
    made = VastCloud(has_machines=True)
    (tmp_path / "fakes.json").write_text(json.dumps({"vast": made.tell()}))
    monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(tmp_path / "fakes.json"))
    yield made
    made.close()


async def rent(provider: VastProvider, keys: Path, first_contact: float) -> tuple[Sighting, str]:
    """A machine that is up, and the host key that it was given."""
    [offer, *_] = await provider.list_offers(Wish("RTX 3090", 1))
    host = make_key()
    watchdog = startup.make_watchdog(first_contact, 3600, provider.find_end(), period=1)
    script = startup.make_startup(host.private, find_own_key(keys), watchdog, limit=startup.LONGEST)
    handle = await provider.create(make_order(offer, startup=script))
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        sighting = await provider.describe(handle)
        assert sighting is not None
        if sighting.state is InstanceState.READY:
            return sighting, host.public
    raise AssertionError("it never came up")


async def open_once(provider: VastProvider, contact: Contact) -> None:
    """A connection whose machine shows the key, tried until its startup script has run."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            channel = await provider.connect(contact).open()
        except TransportError:
            assert time.monotonic() < until, "nobody answers with the right key"
            continue
        await channel.close()
        return


def test_an_agent_runs_on_it_and_another_host_key_is_refused(cloud: VastCloud, tmp_path: Path) -> None:
    provider, keys = VastProvider(), tmp_path / "keys"

    async def story() -> None:
        sighting, host_key = await rent(provider, keys, 600)
        contact = Contact("lab", sighting.handle, sighting.address, host_key, keys)
        note_host(keys, "lab", sighting.address, host_key)
        await open_once(provider, contact)
        note_host(keys, "other", sighting.address, make_key().public)
        with pytest.raises(TransportError):
            await provider.connect(replace(contact, machine="other")).open()

    asyncio.run(story())


def test_one_that_nobody_contacts_ends_itself(cloud: VastCloud, tmp_path: Path) -> None:
    asyncio.run(rent(VastProvider(), tmp_path / "keys", 1))
    until = time.monotonic() + PATIENCE
    while cloud.list_alive():
        assert time.monotonic() < until, "it is still paid for"
        cloud.ended.wait(1)
    assert cloud.calls[-1] == "destroy"
