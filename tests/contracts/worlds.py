"""The world that a provider is checked in: the provider, what is wished for from it, and the cloud behind it if there is one.

Used by test_providers.py; WORLDS has one context manager for each provider, and a new provider adds its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from choline_jupyter.model.offer import ANYTHING, GIB, Wish
from choline_jupyter.providers.keys import make_key
from choline_jupyter.providers.provider import Order, Provider, Sighting
from choline_jupyter.providers.registry import load_provider
from tests.fakes.cloud import Cloud


@dataclass
class World:
    """A provider with its surroundings. `cloud` is None for machines of the user's own."""

    provider: Provider
    wish: Wish = ANYTHING
    cloud: Cloud | None = None
    has_address: bool = False

    async def order(self, label: str) -> Order:
        """An order for the first offer there is."""
        [offer, *_] = await self.provider.list_offers(self.wish)
        host = make_key()
        return Order(label, offer, 20 * GIB, 3600, make_key().public, host.private, "#!/bin/sh\n", offer.price.hour)

    async def look(self, handle: str) -> Sighting:
        """What the provider tells of an instance that is there."""
        sighting = await self.provider.describe(handle)
        assert sighting is not None
        return sighting


def make_own(name: str) -> Callable[[pytest.MonkeyPatch], AbstractContextManager[World]]:
    """The world of a provider without a cloud."""

    @contextmanager
    def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        yield World(load_provider(name))

    return make


WORLDS: dict[str, Callable[[pytest.MonkeyPatch], AbstractContextManager[World]]] = {
    "local": make_own("local"),
    "ssh": make_own("ssh"),
}
