"""A real Jupyter server with choline's server extension, for each test of this folder, and a record of its own.

pytest-jupyter is brought in here by a star import, not as a plugin: as a plugin its automatic fixtures would start an
event loop and a server application around every test of the project.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_core import *  # noqa: F403 - fixtures and the hooks that run coroutine tests
from pytest_jupyter.jupyter_server import *  # noqa: F403

from choline_jupyter.ledger.event_store import EventStore


@pytest.fixture(name="jp_server_config")
def server_config() -> dict[str, Any]:
    """Read by pytest-jupyter's own fixtures."""
    # The server's own second line of defence is off, so that a route that forgot to authenticate is seen.
    return {"ServerApp": {"jpserver_extensions": {"choline_jupyter": True}, "allow_unauthenticated_access": True}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the record; nothing of this machine's user is read."""
    folder = tmp_path / "choline"
    monkeypatch.setenv("CHOLINE_HOME", str(folder))
    monkeypatch.setenv("CHOLINE_AGENT_HOME", str(tmp_path / "agent"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return folder


@pytest.fixture
def store(home: Path) -> Iterator[EventStore]:
    """The event store as a notebook's kernel has it open."""
    store = EventStore(home)
    yield store
    store.close()
