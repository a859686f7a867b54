"""What every provider promises, checked on each that the registry finds."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.providers.provider import Access, Provider
from choline_jupyter.providers.registry import list_names, load_provider
from choline_jupyter.transport.channel import Transport

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


def test_all_of_them_are_installed() -> None:
    assert {"local", "ssh"} <= set(list_names())
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


def test_its_offers_are_its_own_and_cheapest_first(provider: Provider) -> None:
    offers = asyncio.run(provider.list_offers())
    assert offers
    assert all(offer.provider == provider.name and offer.name for offer in offers)
    assert [offer.price for offer in offers] == sorted(offer.price for offer in offers)
    if "free" in provider.capabilities:
        assert {offer.price for offer in offers} == {0.0}


def test_what_is_created_is_listed_until_it_is_destroyed(provider: Provider) -> None:
    async def story() -> None:
        [offer, *_] = await provider.list_offers()
        assert await provider.list_mine() == []
        for label in LABELS:
            await provider.create(label, offer)
        assert await provider.list_mine() == sorted(LABELS)
        await provider.destroy(LABELS[0])
        assert await provider.list_mine() == [LABELS[1]]
        await provider.destroy(LABELS[1])
        assert await provider.list_mine() == []

    asyncio.run(story())


def test_destroying_and_creating_twice_are_harmless(provider: Provider) -> None:
    async def story() -> None:
        [offer, *_] = await provider.list_offers()
        for _ in range(2):
            await provider.create("lab", offer)
        assert await provider.list_mine() == ["lab"]
        for _ in range(2):
            await provider.destroy("lab")
        await provider.destroy("never there")

    asyncio.run(story())


@pytest.mark.parametrize("access", [Access(), Access(start=False)])
def test_connecting_reaches_nobody_yet(provider: Provider, access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("connect must do no I/O")

    for owner, name in ((socket, "socket"), (subprocess, "Popen"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, refuse)
    for label in LABELS:
        assert isinstance(provider.connect(label, access), Transport)


def test_the_interpreter_is_a_path_or_left_to_the_agent(provider: Provider) -> None:
    for label in LABELS:
        python = provider.find_python(label)
        assert python == "" or Path(python).is_absolute()
