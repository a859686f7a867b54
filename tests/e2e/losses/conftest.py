"""One user's home, one agent and one engine for the tests that break something between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from choline_jupyter.providers.local import LocalProvider
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import EngineClient
from tests.e2e.losses.tapped_transport import TappedTransport


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Isolation]:
    """A user without any state, who is this process's user too; fails at the end if something of theirs still runs."""
    made = Isolation()
    monkeypatch.chdir(made.folder)
    with mock.patch.dict(os.environ, made.environment):
        yield made
        made.close()


@pytest.fixture
def client(home: Isolation) -> Iterator[EngineClient]:
    """An engine in that home; what it has opened is ended."""
    made = EngineClient()
    yield made
    for row in made.engine.store.list_sessions():
        if row.state.is_open:
            made.call(made.engine.stop(row))
    made.close()


@pytest.fixture
def tap(home: Isolation, monkeypatch: pytest.MonkeyPatch) -> TappedTransport:
    """The way to the agent of this home, in our hands. Ask for it before `client`."""
    tapped = TappedTransport(LocalProvider(options=("--linger", "1")).connect("this machine"))
    monkeypatch.setattr(LocalProvider, "connect", lambda provider, label, access: tapped)
    return tapped
