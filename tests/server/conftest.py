"""A real Jupyter server with choline's server extension, for each test of this folder, and a record of its own.

pytest-jupyter is brought in here by a star import, not as a plugin: as a plugin its automatic fixtures would start an
event loop and a server application around every test of the project.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from pytest_jupyter.jupyter_core import *  # noqa: F403 - fixtures and the hooks that run coroutine tests
from pytest_jupyter.jupyter_server import *  # noqa: F403

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.server import unload
from choline_jupyter.session import bridge


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


@pytest.fixture(autouse=True)
def engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has the engine of a process of its own, in its own folder."""
    monkeypatch.setattr(bridge, "_bridge", None)
    yield
    if bridge._bridge:
        bridge._bridge.close()


@pytest.fixture(autouse=True, name="jp_server_cleanup")
def server_cleanup(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """In the place of pytest-jupyter's, which knows of no extension that has something open."""
    yield
    app: Any = ServerApp.instance()

    async def close() -> None:
        unload(app)
        await app._cleanup()

    if hasattr(app, "web_app"):
        jp_asyncio_loop.run_until_complete(close())
        app.kernel_manager.context.destroy()
    ServerApp.clear_instance()


@pytest.fixture
def store(home: Path) -> Iterator[EventStore]:
    """The event store as a notebook's kernel has it open."""
    store = EventStore(home)
    yield store
    store.close()
