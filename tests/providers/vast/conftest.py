"""A fake vast.ai and the provider that finds it, for the tests beside this file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.model.offer import GIB, Offer
from choline_jupyter.providers.provider import Order
from choline_jupyter.providers.vast.provider import VastProvider
from tests.fakes.vast import VastCloud


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[VastCloud]:
    made = VastCloud()
    (tmp_path / "fakes.json").write_text(json.dumps({"vast": made.tell()}))
    monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(tmp_path / "fakes.json"))
    yield made
    made.close()


@pytest.fixture
def provider(cloud: VastCloud) -> VastProvider:
    return VastProvider()


def make_order(offer: Offer, label: str = "lab", startup: str = "", bid: float = 0.0) -> Order:
    return Order(label, offer, 20 * GIB, 3600.0, startup=startup, bid=bid)
