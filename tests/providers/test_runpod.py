"""The provider `runpod` and its fake cloud: what is offered, what is sent, what is made of the answers."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import ANY_NETWORK, GIB, Wish
from choline_jupyter.providers.failure import Refused, Unreadable
from choline_jupyter.providers.runpod import RunPodProvider, write_body
from tests.fakes.runpod import RunPodCloud
from tests.providers.rented_world import make_order, point_at


@pytest.fixture
def cloud() -> Iterator[RunPodCloud]:
    cloud = RunPodCloud()
    yield cloud
    cloud.close()


@pytest.fixture
def provider(cloud: RunPodCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPodProvider:
    return point_at(cloud, RunPodProvider, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        (Wish("RTX 4090"), [("COMMUNITY", 0.34), ("SECURE", 0.69)]),
        (Wish("RTX 4090", count=4), [("COMMUNITY", 1.36), ("SECURE", 2.76)]),
        (Wish("RTX 4090", count=8), [("SECURE", 5.52)]),
        (Wish("A100"), [("COMMUNITY", 1.19), ("SECURE", 1.64), ("SECURE", 1.89)]),
        (Wish("A100 80GB", region="us"), [("SECURE", 1.89)]),
        (Wish("H100"), []),
        (Wish("RTX 4090", max_price=0.5), [("COMMUNITY", 0.34)]),
        (Wish("RTX 4090", is_spot=True), []),
        (Wish(gpu_memory=100 * GIB), [("SECURE", 2.49)]),
        (Wish("RTX 4090", network=ANY_NETWORK), [("SECURE", 0.69)]),
        (Wish("A100", network=ANY_NETWORK), []),
        (Wish(gpu_memory=100 * GIB, network=ANY_NETWORK), []),
        (Wish("RTX 4090", network="another"), []),
    ],
)
def test_offers_are_of_both_clouds_with_their_stock(
    provider: RunPodProvider, wish: Wish, found: list[tuple[str, float]]
) -> None:
    offers = asyncio.run(provider.list_offers(wish))
    assert [(offer.detail["cloud"], round(offer.price.hour, 2)) for offer in offers] == found


def test_a_disk_costs_while_it_runs_and_is_erased_when_it_stops(provider: RunPodProvider) -> None:
    [offer, *_] = asyncio.run(provider.list_offers(Wish("RTX 4090")))
    assert offer.price.find_hourly(73 * GIB) == pytest.approx(0.34 + 0.01)
    assert offer.price.find_hourly(73 * GIB, is_stopped=True) == 0.0


def test_the_request_holds_what_was_ordered(provider: RunPodProvider) -> None:
    async def story() -> None:
        order = dataclasses.replace(await make_order(provider, wish=Wish("RTX 4090", 2, region="EU-RO")), disk=GIB + 1)
        body = write_body(order)
        assert body["gpu"] == {"id": "NVIDIA GeForce RTX 4090", "count": 2}
        assert body["dataCenterIds"] == ["EU-RO-1"]
        assert body["disk"] == 2
        assert body["env"]["PUBLIC_KEY"] == order.public_key
        assert base64.b64decode(body["env"]["CHOLINE_STARTUP"]).decode() == order.startup
        assert order.host_key not in body["args"]

    asyncio.run(story())


def test_pods_that_are_to_reach_each_other_ask_for_the_network(provider: RunPodProvider) -> None:
    async def story() -> None:
        wish = Wish("RTX 4090", network=ANY_NETWORK)
        body = write_body(await make_order(provider, wish=wish))
        assert body["globalNetworking"] is True
        assert body["dataCenterIds"] == ["US-KS-2", "EU-RO-1"]
        body = write_body(await make_order(provider, wish=dataclasses.replace(wish, region="EU")))
        assert body["dataCenterIds"] == ["EU-RO-1"]
        assert "globalNetworking" not in write_body(await make_order(provider))

    asyncio.run(story())


def test_unknown_fields_are_refused_and_nothing_is_made(provider: RunPodProvider, cloud: RunPodCloud) -> None:
    async def story() -> None:
        body = write_body(await make_order(provider))
        with pytest.raises(Refused, match="422"):
            await provider.ask("POST", "/v2/pods", {**body, "gpuCount": 1})
        assert cloud.list_alive() == []

    asyncio.run(story())


def test_too_little_credit_is_a_refusal(provider: RunPodProvider, cloud: RunPodCloud) -> None:
    async def story() -> None:
        order = await make_order(provider)
        cloud.credit = 0.01
        with pytest.raises(Refused, match="balance"):
            await provider.create(order)

    asyncio.run(story())


def test_the_accounts_keys_are_left_alone(provider: RunPodProvider, cloud: RunPodCloud) -> None:
    cloud.keys = ["ssh-ed25519 AAAA anna"]

    async def story() -> None:
        handle = await provider.create(await make_order(provider))
        assert cloud.keys == ["ssh-ed25519 AAAA anna"]
        assert "anna" not in cloud._list_variables(cloud.rentals[handle])["PUBLIC_KEY"]

    asyncio.run(story())


def test_a_pod_that_was_never_made_is_unknown_and_unlisted(provider: RunPodProvider, cloud: RunPodCloud) -> None:
    async def story() -> None:
        cloud.lost = 1
        handle = await provider.create(await make_order(provider))
        assert await provider.describe(handle) is None
        assert await provider.list_mine() == []
        await provider.destroy(handle)

    asyncio.run(story())


def test_a_pod_that_has_stopped_has_lost_its_disk_and_will_never_run(
    provider: RunPodProvider, cloud: RunPodCloud
) -> None:
    async def story() -> None:
        handle = await provider.create(await make_order(provider))
        cloud.stop(handle)
        sighting = await provider.describe(handle)
        assert sighting is not None
        assert sighting.state is InstanceState.DEAD
        assert sighting.hour == 0.0
        await provider.destroy(handle)
        assert cloud.list_alive() == []

    asyncio.run(story())


def test_what_was_billed_is_told_while_it_runs_and_its_failure_is_none_of_the_pods(
    provider: RunPodProvider, cloud: RunPodCloud
) -> None:
    async def story() -> None:
        cloud.boot_looks = 0
        handle = await provider.create(await make_order(provider))
        cloud.advance(3600)
        sighting = await provider.describe(handle)
        assert sighting is not None
        assert sighting.billed == pytest.approx(cloud.bill(handle), abs=0.01)
        cloud.fail("billed", "500")
        sighting = await provider.describe(handle)
        assert sighting is not None
        assert sighting.billed is None
        assert sighting.state is InstanceState.READY

    asyncio.run(story())


def test_a_pods_own_key_ends_that_pod_and_does_nothing_else(provider: RunPodProvider, cloud: RunPodCloud) -> None:
    order = asyncio.run(make_order(provider))
    first, second = [asyncio.run(provider.create(dataclasses.replace(order, label=label))) for label in ("one", "two")]
    with httpx.Client(base_url=cloud.url, headers={"Authorization": f"Bearer pod-key-{first}"}) as client:
        assert client.get("/v2/pods").status_code == 403
        assert client.delete(f"/v2/pods/{second}").status_code == 403
        assert client.post("/v2/pods", json=write_body(order)).status_code == 403
        assert client.delete(f"/v2/pods/{first}").status_code == 204
    assert [rental.label for rental in cloud.list_alive()] == ["two"]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, InstanceState.READY),
        ({"ssh": {"proxy": None, "direct": None}}, InstanceState.BOOTING),
        ({"ssh": None}, InstanceState.BOOTING),
        ({"status": "PROVISIONING"}, InstanceState.CREATING),
        ({"status": "STARTING"}, InstanceState.BOOTING),
        ({"status": "EXITED"}, InstanceState.DEAD),
        ({"status": "ERROR"}, InstanceState.DEAD),
        ({"status": "NEW"}, InstanceState.UNKNOWN),
    ],
)
def test_every_status_means_something(
    provider: RunPodProvider, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], state: InstanceState
) -> None:
    direct = {"host": "192.0.2.7", "port": 34446, "username": "root", "command": "ssh"}
    row = {
        "id": "p1", "name": "choline-a-1", "status": "RUNNING", "cost": 0.44, "startedAt": "2026-06-01T12:02:00Z",
        "ssh": {"proxy": None, "direct": direct}, **change,
    }  # fmt: skip

    async def answer(*call: Any, **more: Any) -> Any:
        return {"pods": [row]}

    monkeypatch.setattr(provider, "ask", answer)
    [sighting] = asyncio.run(provider.list_mine())
    assert (sighting.label, sighting.state, sighting.hour) == ("choline-a-1", state, 0.44)
    assert sighting.started_at == 1780315320.0
    if not change:
        assert sighting.address == "root@192.0.2.7:34446"


@pytest.mark.parametrize("data", [None, {}, [], {"pods": None}, {"pods": {}}, {"pods": [{}]}, {"pods": ["x"]}])
def test_a_listing_of_another_shape_is_never_nothing(
    provider: RunPodProvider, monkeypatch: pytest.MonkeyPatch, data: Any
) -> None:
    async def answer(*call: Any, **more: Any) -> Any:
        return data

    monkeypatch.setattr(provider, "ask", answer)
    with pytest.raises(Unreadable):
        asyncio.run(provider.list_mine())
