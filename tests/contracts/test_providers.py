"""What every provider promises, checked on each that the registry finds."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import read_offer
from choline_jupyter.providers.failure import Refused
from choline_jupyter.providers.provider import FREE, STOP, Access, Contact, Provider
from choline_jupyter.providers.registry import BUILT_IN, list_names, load_provider
from choline_jupyter.transport.channel import Transport
from tests.contracts.worlds import WORLDS, World, list_worlds

LABELS = ("lab", "anna@other:2222")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with one machine of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "choline").mkdir()
    (tmp_path / "choline/config.toml").write_text('[hosts.lab]\nhost = "anna@lab"\ngpus = "2x3090"\npython = "/py"\n')


@pytest.fixture(params=["local", "ssh"])
def provider(request: pytest.FixtureRequest) -> Provider:
    return load_provider(request.param)


@pytest.fixture(params=list_worlds())
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with WORLDS[request.param](monkeypatch) as world:
        yield world


async def list_labels(provider: Provider) -> list[str]:
    """The labels of what lives, sorted."""
    return sorted(sighting.label for sighting in await provider.list_mine())


def test_all_of_them_are_installed() -> None:
    assert set(BUILT_IN) <= set(list_names())
    assert list_names() == sorted(list_names())


def test_an_unknown_one_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        load_provider("nowhere")


def test_it_is_found_by_its_name(provider: Provider) -> None:
    assert provider.name in list_names()
    assert type(load_provider(provider.name)) is type(provider)


def test_its_capabilities_are_words(provider: Provider) -> None:
    assert type(provider.capabilities) is frozenset
    assert {type(word) for word in provider.capabilities} <= {str}
    assert provider.is_this_machine is (provider.name == "local")


def test_its_offers_are_its_own_and_cheapest_first(world: World) -> None:
    offers = asyncio.run(world.provider.list_offers(world.wish))
    assert offers
    assert all(offer.provider == world.provider.name and offer.name for offer in offers)
    assert [offer.price.hour for offer in offers] == sorted(offer.price.hour for offer in offers)
    assert all(offer.price.is_free for offer in offers) is (FREE in world.provider.capabilities)
    assert all(read_offer(offer.to_json()) == offer for offer in offers)


def test_what_is_created_is_listed_until_it_is_destroyed(world: World) -> None:
    provider = world.provider

    async def story() -> None:
        assert await list_labels(provider) == []
        first, second = [await provider.create(await world.order(label)) for label in LABELS]
        assert await list_labels(provider) == sorted(LABELS)
        sighting = await provider.describe(first)
        assert sighting is not None
        assert sighting.label == LABELS[0]
        await provider.destroy(first)
        assert await list_labels(provider) == [LABELS[1]]
        await provider.destroy(second)
        assert await list_labels(provider) == []

    asyncio.run(story())


def test_what_it_cannot_do_is_refused(world: World) -> None:
    if STOP not in world.provider.capabilities:
        with pytest.raises(Refused, match="cannot be stopped"):
            asyncio.run(world.provider.stop("anything"))


def test_destroying_twice_is_harmless(world: World) -> None:
    async def story() -> None:
        handle = await world.provider.create(await world.order("lab"))
        for _ in range(2):
            await world.provider.destroy(handle)
        assert await list_labels(world.provider) == []

    asyncio.run(story())


def test_an_instance_comes_to_run_and_has_an_address(world: World) -> None:
    async def story() -> None:
        handle = await world.provider.create(await world.order("lab"))
        sighting = await world.look(handle)
        for _ in range(20):
            if sighting.state is InstanceState.READY:
                break
            assert sighting.state in (InstanceState.CREATING, InstanceState.BOOTING)
            sighting = await world.look(handle)
        assert sighting.state is InstanceState.READY
        assert bool(sighting.address) is world.has_address

    asyncio.run(story())


@pytest.mark.parametrize("access", [Access(), Access(start=False)])
def test_connecting_reaches_nobody_yet(provider: Provider, access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("connect must do no I/O")

    for owner, name in ((socket, "socket"), (subprocess, "Popen"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, refuse)
    for label in LABELS:
        assert isinstance(provider.connect(Contact(label), access), Transport)


def test_the_interpreter_is_a_path_or_left_to_the_agent(provider: Provider) -> None:
    for label in LABELS:
        python = provider.find_python(label)
        assert python == "" or Path(python).is_absolute()
