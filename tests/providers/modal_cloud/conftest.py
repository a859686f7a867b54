"""The servicer, and the provider that finds it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from choline_jupyter.providers.modal_cloud.provider import ModalProvider
from tests.contracts.modal_world import open_cloud
from tests.fakes.modal_servicer.cloud import ModalCloud


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModalCloud]:
    with open_cloud(monkeypatch) as cloud:
        yield cloud


@pytest.fixture
def provider(cloud: ModalCloud) -> ModalProvider:
    return ModalProvider()
