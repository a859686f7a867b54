"""The provider `lambda` and its fake cloud: what is offered, what is sent, what is made of the answers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import GIB, Wish
from choline_jupyter.providers.failure import KeyRejected, Refused, Throttled, Unreadable
from choline_jupyter.providers.lambda_cloud import LambdaProvider
from choline_jupyter.providers.pace import Pace
from tests.fakes.lambda_cloud import LambdaCloud
from tests.providers.rented_world import make_order, point_at


@pytest.fixture
def cloud() -> Iterator[LambdaCloud]:
    cloud = LambdaCloud()
    yield cloud
    cloud.close()


@pytest.fixture
def provider(cloud: LambdaCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LambdaProvider:
    return point_at(cloud, LambdaProvider, tmp_path, monkeypatch)


def test_there_is_an_offer_for_each_region_with_capacity(provider: LambdaProvider) -> None:
    offers = asyncio.run(provider.list_offers(Wish("A10")))
    assert [(offer.gpus, offer.region, offer.price.hour) for offer in offers] == [
        ("1x A10", "us-east-1", 0.75),
        ("1x A10", "us-west-1", 0.75),
    ]
    assert offers[0].memory == 200 * GIB
    assert offers[0].price.step == 60


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        (Wish("A100"), ["gpu_1x_a100_sxm4", "gpu_8x_a100_80gb_sxm4"]),
        (Wish("A100 80GB"), ["gpu_8x_a100_80gb_sxm4"]),
        (Wish("A100", count=1), ["gpu_1x_a100_sxm4"]),
        (Wish("H100"), []),
        (Wish(gpu_memory=48 * GIB), ["gpu_1x_gh200", "gpu_8x_a100_80gb_sxm4"]),
        (Wish("A10", region="US-West"), ["gpu_1x_a10"]),
        (Wish("A10", max_price=0.5), []),
        (Wish("A10", is_spot=True), []),
    ],
)
def test_offers_fit_the_wish_cheapest_first(provider: LambdaProvider, wish: Wish, names: list[str]) -> None:
    assert [offer.detail["type"] for offer in asyncio.run(provider.list_offers(wish))] == names


def test_it_says_that_nothing_but_this_laptop_ends_a_machine(provider: LambdaProvider) -> None:
    assert provider.needs_laptop
    assert provider.find_end() == ""


def test_cloud_init_is_given_the_host_key_the_users_key_and_the_script(
    provider: LambdaProvider, cloud: LambdaCloud
) -> None:
    async def story() -> None:
        order = await make_order(provider)
        handle = await provider.create(order)
        sent = cloud.rentals[handle].detail
        assert sent["user_data"].startswith("#cloud-config\n")
        config = yaml.safe_load(sent["user_data"])
        assert config["ssh_keys"]["ed25519_private"] == order.host_key
        assert config["ssh_authorized_keys"] == [order.public_key]
        assert config["runcmd"] == [["sh", "-c", order.startup]]
        assert sent["tags"] == [{"key": "choline", "value": order.label}]

    asyncio.run(story())


def test_the_key_is_registered_once_before_the_launch(provider: LambdaProvider, cloud: LambdaCloud) -> None:
    async def story() -> None:
        order = await make_order(provider)
        await provider.create(order)
        await provider.create(dataclasses.replace(order, label="choline-a-2"))
        assert list(cloud.keys.values()) == [order.public_key]
        assert cloud.calls.index("add key") < cloud.calls.index("create")

    asyncio.run(story())


def test_a_key_that_the_user_has_there_under_another_name_is_used(provider: LambdaProvider, cloud: LambdaCloud) -> None:
    async def story() -> None:
        order = await make_order(provider)
        cloud.keys["my laptop"] = f"{order.public_key} anna@laptop\n"
        handle = await provider.create(order)
        assert cloud.rentals[handle].detail["ssh_key_names"] == ["my laptop"]
        assert "add key" not in cloud.calls

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["500", "500-created", "timeout", "garbage", "401", "429"])
@pytest.mark.parametrize("call", ["keys", "add key"])
def test_a_key_that_cannot_be_registered_launches_nothing(
    provider: LambdaProvider, cloud: LambdaCloud, call: str, kind: str
) -> None:
    async def story() -> None:
        order = await make_order(provider)
        cloud.fail(call, kind)
        with pytest.raises(Refused):
            await provider.create(order)
        assert "create" not in cloud.calls
        await provider.create(order)
        assert len(cloud.keys) == 1

    asyncio.run(story())


def test_capacity_that_has_just_gone_is_a_refusal_in_the_providers_words(
    provider: LambdaProvider, cloud: LambdaCloud
) -> None:
    async def story() -> None:
        order = await make_order(provider, wish=Wish("A10"))
        cloud.full.add("gpu_1x_a10")
        with pytest.raises(Refused, match="Not enough capacity"):
            await provider.create(order)

    asyncio.run(story())


def test_a_label_that_is_too_long_is_not_sent(provider: LambdaProvider, cloud: LambdaCloud) -> None:
    async def story() -> None:
        with pytest.raises(Refused, match="longer than 64"):
            await provider.create(await make_order(provider, label="x" * 65))
        assert cloud.calls == ["offers"]

    asyncio.run(story())


def test_launches_wait_their_turn_and_nothing_else_waits_with_them(
    provider: LambdaProvider, cloud: LambdaCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        cloud.advance(seconds)

    paces = {"call": Pace(0), "launch": Pace(11, cloud.now, sleep)}
    monkeypatch.setattr(provider, "wait_turn", lambda call, interval: paces[call].wait())
    cloud.interval = 10

    async def story() -> None:
        order = await make_order(provider)
        for number in range(3):
            await provider.create(dataclasses.replace(order, label=f"choline-a-{number}"))
        assert [round(wait) for wait in waits] == [11, 11]
        await provider.list_mine()
        assert len(waits) == 2
        monkeypatch.setattr(provider, "wait_turn", lambda call, interval: Pace(0).wait())
        with pytest.raises(Throttled):
            await provider.create(order)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"status": "active"}, InstanceState.READY),
        ({"status": "active", "ip": None}, InstanceState.BOOTING),
        ({"status": "booting"}, InstanceState.BOOTING),
        ({"status": "unhealthy"}, InstanceState.UNKNOWN),
        ({"status": "preempted"}, InstanceState.PREEMPTED),
        ({"status": "terminating"}, InstanceState.DESTROYING),
        ({"status": "something new"}, InstanceState.UNKNOWN),
        ({"status": "active", "name": "renamed"}, InstanceState.READY),
    ],
)
def test_every_status_means_something_and_the_label_is_the_tag(
    provider: LambdaProvider, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], state: InstanceState
) -> None:
    row = {
        "id": "i-1", "name": "choline-a-1", "ip": "192.0.2.1", "tags": [{"key": "choline", "value": "choline-a-1"}],
        "instance_type": {"price_cents_per_hour": 129}, **change,
    }  # fmt: skip

    async def answer(*call: Any, **more: Any) -> Any:
        return json.loads(json.dumps({"data": [row]}))

    monkeypatch.setattr(provider, "ask", answer)
    [sighting] = asyncio.run(provider.list_mine())
    assert (sighting.label, sighting.state, sighting.hour) == ("choline-a-1", state, 1.29)
    if state is InstanceState.READY:
        assert sighting.address == "ubuntu@192.0.2.1"


@pytest.mark.parametrize(
    "data",
    [None, {}, {"data": None}, {"data": {}}, {"data": [{}]}, {"data": ["x"]}, {"data": [{"id": 3, "status": "active"}]}, []],
)  # fmt: skip
def test_a_listing_of_another_shape_is_never_nothing(
    provider: LambdaProvider, monkeypatch: pytest.MonkeyPatch, data: Any
) -> None:
    async def answer(*call: Any, **more: Any) -> Any:
        return data

    monkeypatch.setattr(provider, "ask", answer)
    with pytest.raises(Unreadable):
        asyncio.run(provider.list_mine())


def test_another_machine_than_the_one_asked_for_is_not_taken(
    provider: LambdaProvider, cloud: LambdaCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        handle = await provider.create(await make_order(provider))
        shown = {"data": cloud._show(cloud.rentals[handle])}

        async def answer(*call: Any, **more: Any) -> Any:
            return shown

        monkeypatch.setattr(provider, "ask", answer)
        with pytest.raises(Unreadable):
            await provider.describe("another")

    asyncio.run(story())


def test_without_a_key_nothing_is_called_and_it_says_where_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHOLINE_FAKE_CLOUD", raising=False)
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in LambdaProvider.key_variables:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAMBDA_CLOUD_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    provider = LambdaProvider()
    assert "choline login lambda" in provider.check_ready()
    with pytest.raises(KeyRejected):
        asyncio.run(provider.list_mine())
    (tmp_path / ".lambda_cloud").mkdir()
    (tmp_path / ".lambda_cloud/lambda_keys").write_text("api_key = abc123\n")
    assert LambdaProvider().check_ready() == ""
