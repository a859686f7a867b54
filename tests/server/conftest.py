"""A real Jupyter server with choline's server extension, for each test of this folder.

pytest-jupyter is brought in here by a star import, not as a plugin: as a plugin its automatic fixtures would start an
event loop and a server application around every test of the project.
"""

from __future__ import annotations

from typing import Any

import pytest
from pytest_jupyter.jupyter_core import *  # noqa: F403 - fixtures and the hooks that run coroutine tests
from pytest_jupyter.jupyter_server import *  # noqa: F403


@pytest.fixture(name="jp_server_config")
def server_config() -> dict[str, Any]:
    """Read by pytest-jupyter's own fixtures."""
    # The server's own second line of defence is off, so that a route that forgot to authenticate is seen.
    return {"ServerApp": {"jpserver_extensions": {"choline_jupyter": True}, "allow_unauthenticated_access": True}}
