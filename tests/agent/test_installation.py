"""Whether a package index can be reached at all, before anything is made ready to ask it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from choline_jupyter.agent.installation import _check_reach
from choline_jupyter.agent.tool import EnvironmentFault

NOWHERE = "http://127.0.0.1:1/simple"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_one_that_answers_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as index:
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        asyncio.run(_check_reach({"index-url": [NOWHERE], "extra-index-url": [url]}))


def test_one_that_does_not_is_said() -> None:
    with pytest.raises(EnvironmentFault, match=r"127\.0\.0\.1 cannot be reached") as caught:
        asyncio.run(_check_reach({"index-url": [NOWHERE]}))
    assert caught.value.is_reach


def test_files_and_what_is_not_known_are_for_pip_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_check_reach({}))
    asyncio.run(_check_reach({"index-url": [NOWHERE], "find-links": ["/some/folder"]}))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:2")
    asyncio.run(_check_reach({"index-url": [NOWHERE]}))
