"""One user's home, one agent and one engine for the tests that break something between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import EngineClient


@pytest.fixture
def home() -> Iterator[Isolation]:
    """A user without any state, who is this process's user too; fails at the end if something of theirs still runs."""
    made = Isolation()
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
