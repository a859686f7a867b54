"""Machines of the fake clouds are real ones: they take the key that they were given before anybody is let in, run our
agent as the user whom the provider names, and end themselves where their provider lets them.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.model.offer import Wish
from choline_jupyter.providers.keys import find_own_key, make_key
from choline_jupyter.providers.lambda_cloud import LambdaProvider
from choline_jupyter.providers.provider import Contact, Provider
from choline_jupyter.providers.rented import note_host
from choline_jupyter.providers.runpod import RunPodProvider
from choline_jupyter.transport.channel import TransportError
from tests.fakes.cloud import Cloud
from tests.fakes.lambda_cloud import LambdaCloud
from tests.fakes.runpod import RunPodCloud
from tests.providers.rented_world import PATIENCE, make_order, make_watched, point_at, wait_ready

pytestmark = [
    pytest.mark.kernel_feature,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs a kernel feature: namespaces, as root"),
]
World = tuple[Provider, Cloud]
KINDS: dict[str, tuple[type[Any], type[Any]]] = {
    "lambda": (LambdaProvider, LambdaCloud),
    "runpod": (RunPodProvider, RunPodCloud),
}


@pytest.fixture(params=sorted(KINDS))
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    kind, make_cloud = KINDS[request.param]
    cloud = make_cloud(has_machines=True)
    yield point_at(cloud, kind, tmp_path, monkeypatch), cloud
    cloud.close()


async def open_once(provider: Provider, contact: Contact) -> None:
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


def test_an_agent_runs_on_it_and_another_host_key_is_refused(world: World, tmp_path: Path) -> None:
    provider, keys, host = world[0], tmp_path / "keys", make_key()

    async def story() -> None:
        handle = await provider.create(await make_order(provider, wish=Wish("A100", 1), host=host, keys=keys))
        sighting = await wait_ready(provider, handle)
        assert sighting.address.startswith(f"{provider.user}@")
        contact = Contact("lab", handle, sighting.address, host.public, keys)
        note_host(keys, "lab", sighting.address, host.public)
        await open_once(provider, contact)
        note_host(keys, "other", sighting.address, make_key().public)
        with pytest.raises(TransportError):
            await provider.connect(replace(contact, machine="other")).open()
        await provider.destroy(handle)

    asyncio.run(story())


def test_a_pod_that_nobody_contacts_ends_itself_with_its_own_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = RunPodCloud(has_machines=True)
    provider = point_at(cloud, RunPodProvider, tmp_path, monkeypatch)

    async def story() -> None:
        order = await make_order(provider)
        script = make_watched(provider, make_key(), find_own_key(tmp_path / "keys"), first=1)
        await provider.create(replace(order, startup=script))

    asyncio.run(story())
    until = time.monotonic() + PATIENCE
    while cloud.list_alive():
        assert time.monotonic() < until, "it is still paid for"
        time.sleep(0.05)
    cloud.close()
    assert cloud.calls[-1] == "destroy"


def test_a_pod_that_may_not_delete_itself_stops_itself_which_costs_as_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = RunPodCloud(has_machines=True)
    cloud.fail("destroy", "401", 1000)
    provider = point_at(cloud, RunPodProvider, tmp_path, monkeypatch)

    async def story() -> str:
        order = await make_order(provider)
        script = make_watched(provider, make_key(), find_own_key(tmp_path / "keys"), first=1)
        return await provider.create(replace(order, startup=script))

    handle = asyncio.run(story())
    until = time.monotonic() + PATIENCE
    while cloud.rentals[handle].state != "stopped":
        assert time.monotonic() < until, "it still runs"
        time.sleep(0.05)
    assert cloud.rentals[handle].periods[-1][2] == 0.0
    cloud.close()
