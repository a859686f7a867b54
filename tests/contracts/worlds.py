"""The world that a provider is checked in: the provider, what is wished for from it, and the cloud behind it if there is one.

Used by test_providers.py; WORLDS has one context manager for each provider, and a new provider adds its own.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.model.offer import ANYTHING, GIB, Wish
from choline_jupyter.providers.keys import make_key
from choline_jupyter.providers.provider import Order, Provider, Sighting
from choline_jupyter.providers.registry import load_provider
from tests.contracts.modal_world import FAULTS as MODAL_FAULTS
from tests.contracts.modal_world import open_cloud
from tests.fakes.cloud import Cloud
from tests.fakes.lambda_cloud import LambdaCloud
from tests.fakes.runpod import RunPodCloud
from tests.fakes.vast import VastCloud

# Faults that a rented provider's API can have, for each call that is asked of it (tests.fakes.cloud.Fault).
FAULTS = ("401", "429", "500", "500-created", "timeout", "garbage", "empty", "shape", "410")


@dataclass
class World:
    """A provider with its surroundings. `cloud` is None for machines of the user's own."""

    provider: Provider
    wish: Wish = ANYTHING
    cloud: Cloud | None = None
    has_address: bool = False
    faults: tuple[str, ...] = field(default=FAULTS)

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


def make_rented(
    name: str, make_cloud: Callable[[], Cloud], wish: Wish = ANYTHING, **more: Any
) -> Callable[[pytest.MonkeyPatch], AbstractContextManager[World]]:
    """The world of a provider with a fake cloud, which it finds as a developer's does."""

    @contextmanager
    def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        cloud = make_cloud()
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder) / "fake-cloud.json"
            told.write_text(json.dumps({name: cloud.tell()}))
            monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(told))
            try:
                yield World(load_provider(name), wish, cloud, has_address=True, **more)
            finally:
                cloud.close()

    return make


@contextmanager
def make_modal(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Sandboxes have no address: they are reached through Modal."""
    with open_cloud(monkeypatch) as cloud:
        yield World(load_provider("modal"), Wish("A100 80GB", 1), cloud, faults=MODAL_FAULTS)


WORLDS: dict[str, Callable[[pytest.MonkeyPatch], AbstractContextManager[World]]] = {
    "lambda": make_rented("lambda", LambdaCloud, Wish("A100", 1)),
    "local": make_own("local"),
    "runpod": make_rented("runpod", RunPodCloud, Wish("A100", 1)),
    "ssh": make_own("ssh"),
    "vast": make_rented("vast", VastCloud, Wish("RTX 3090", 1)),
    "modal": make_modal,
}
# Of those whose official package has an environment of its own (`make test` runs them there).
MARKS = {"vast": pytest.mark.vast}
OWN = ("local", "ssh")


def list_worlds(*, rented: bool = False) -> list[Any]:
    """Parameters for pytest: all of them, or those that are rented."""
    names = [name for name in sorted(WORLDS) if not (rented and name in OWN)]
    return [pytest.param(name, marks=MARKS.get(name, ())) for name in names]
