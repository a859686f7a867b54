"""Every REST route answers the server's user and nobody else."""

from __future__ import annotations

import json
import platform
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

import choline_jupyter
from choline_jupyter.server.routes import ROUTES

Fetch = Callable[..., Awaitable[Any]]

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")


async def test_version_is_what_the_server_runs(jp_fetch: Fetch) -> None:
    response = await jp_fetch("choline", "api", "version")
    assert json.loads(response.body) == {
        "version": choline_jupyter.__version__,
        "python": platform.python_version(),
    }


@pytest.mark.parametrize("path", [path for path, _ in ROUTES])
@pytest.mark.parametrize("verb", VERBS)
async def test_nothing_is_answered_without_authentication(jp_fetch: Fetch, path: str, verb: str) -> None:
    body = "{}" if verb in {"POST", "PUT", "PATCH"} else None
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("choline", "api", path, method=verb, body=body, headers={"Authorization": ""})
    # 405: the route has no such verb.
    assert refused.value.code in {403, 405}
    assert verb != "GET" or refused.value.code == 403
