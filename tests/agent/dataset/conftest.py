"""Servers on loopback for the tests of downloads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.net.data_server import DataServer, serve_data


@pytest.fixture
def server() -> Iterator[DataServer]:
    with serve_data() as made:
        yield made


@pytest.fixture
def other() -> Iterator[DataServer]:
    """Another host, as far as anybody can tell: its port is another one."""
    with serve_data() as made:
        yield made
