"""A user who rents from a provider in memory whose machines are real, and their engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.rent.tenant import Tenant
from tests.fakes.machine_provider import MachineProvider, install


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Isolation]:
    made = Isolation()
    monkeypatch.chdir(made.folder)
    with mock.patch.dict(os.environ, made.environment):
        yield made
        made.close()


@pytest.fixture
def provider(home: Isolation, monkeypatch: pytest.MonkeyPatch) -> Iterator[MachineProvider]:
    """The provider `memory`, installed beside the others. All its machines end with the test."""
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made = MachineProvider()
    install(made, monkeypatch)
    yield made
    made.close()


@pytest.fixture
def tenant(provider: MachineProvider) -> Iterator[Tenant]:
    """Somebody with a notebook, who agrees to everything."""
    made = Tenant(provider)
    yield made
    made.close()
