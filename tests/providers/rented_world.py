"""A provider with its fake cloud, found as a developer finds it, for the tests of the providers with a REST API."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TypeVar

import pytest

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import ANYTHING, GIB, Wish
from choline_jupyter.providers.keys import KeyPair, find_own_key, make_key
from choline_jupyter.providers.provider import Order, Provider, Sighting
from choline_jupyter.providers.startup import make_startup, make_watchdog
from tests.fakes.cloud import Cloud

PATIENCE = 30.0
_Provider = TypeVar("_Provider", bound=Provider)


def point_at(cloud: Cloud, kind: type[_Provider], folder: Path, monkeypatch: pytest.MonkeyPatch) -> _Provider:
    """The provider, with CHOLINE_FAKE_CLOUD leading to this cloud."""
    told = folder / "fake-cloud.json"
    told.write_text(json.dumps({kind.name: cloud.tell()}))
    monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(told))
    return kind()


async def make_order(
    provider: Provider, label: str = "choline-a-1", wish: Wish = ANYTHING, host: KeyPair | None = None, keys: Path | None = None
) -> Order:  # fmt: skip
    """For the first offer; with `keys` it can be connected to, and its startup installs `host`."""
    [offer, *_] = await provider.list_offers(wish)
    host = host or make_key()
    public = find_own_key(keys) if keys else make_key().public
    return Order(
        label, offer, 20 * GIB, 3600, public, host.private, make_startup(host.private, public, ""), offer.price.hour
    )


def make_watched(provider: Provider, host: KeyPair, public: str, first: float) -> str:
    """A startup script whose watchdog ends the machine when nobody has connected within `first` seconds."""
    return make_startup(host.private, public, make_watchdog(first, 3600, provider.find_end(), period=1))


async def wait_ready(provider: Provider, handle: str) -> Sighting:
    """Look until it runs; the fake's machine needs real time to boot."""
    deadline = time.monotonic() + PATIENCE
    while True:
        sighting = await provider.describe(handle)
        assert sighting is not None
        if sighting.state is InstanceState.READY:
            return sighting
        assert time.monotonic() < deadline, sighting
        time.sleep(0.05)  # noqa: ASYNC251 - nothing else goes on here
