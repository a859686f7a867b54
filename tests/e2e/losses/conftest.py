"""One user's home, one agent and one engine for the tests that break something between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from choline_jupyter.providers.local import LocalProvider
from choline_jupyter.transport.pipe import PipeTransport
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import EngineClient
from tests.e2e.losses.tapped_transport import TappedTransport

LINGER = ("--linger", "1")  # an agent with nothing to do ends soon, and looks after leases as often


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Isolation]:
    """A user without any state, who is this process's user too; fails at the end if something of theirs still runs."""
    made = Isolation()
    monkeypatch.chdir(made.folder)
    monkeypatch.setattr(LocalProvider, "connect", lambda provider, label, access: PipeTransport(options=LINGER))
    with mock.patch.dict(os.environ, made.environment):
        yield made
        made.close()


@pytest.fixture
def tap(home: Isolation, monkeypatch: pytest.MonkeyPatch) -> TappedTransport:
    """The way to the agent of this home, in our hands. Ask for it before `client`."""
    tapped = TappedTransport(PipeTransport(options=LINGER))
    monkeypatch.setattr(LocalProvider, "connect", lambda provider, label, access: tapped)
    return tapped


@pytest.fixture
def client(home: Isolation) -> Iterator[EngineClient]:
    """An engine in that home; what is open at the end is ended by another one, whatever has become of the first."""
    made = EngineClient()
    yield made
    made.close()
    last = EngineClient()
    last.stop_all()
    last.close()
