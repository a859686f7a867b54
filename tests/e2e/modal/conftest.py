"""A user with a budget, a fake Modal, and an engine that rents from it through Modal's own package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.contracts.modal_world import open_cloud
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import EngineClient
from tests.fakes.modal_servicer.cloud import ModalCloud

CONFIG = "[money]\nbudget = 5\nauto_approve = 5\n"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModalCloud]:
    with open_cloud(monkeypatch) as cloud:
        yield cloud


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Isolation]:
    """A user without any state, whose configuration allows some dollars."""
    made = Isolation()
    monkeypatch.chdir(made.folder)
    with mock.patch.dict(os.environ, made.environment):
        config = Path(made.environment["XDG_CONFIG_HOME"]) / "choline/config.toml"
        config.parent.mkdir()
        config.write_text(CONFIG)
        yield made
        made.close()


@pytest.fixture
def user(home: Isolation, cloud: ModalCloud) -> Isolation:
    """Whose notebooks find the fake Modal."""
    home.environment["CHOLINE_FAKE_CLOUD"] = os.environ["CHOLINE_FAKE_CLOUD"]
    return home


@pytest.fixture
def client(home: Isolation, cloud: ModalCloud) -> Iterator[EngineClient]:
    """What is open at its end is ended by another one."""
    made = make_client()
    yield made
    made.close()
    last = make_client()
    last.stop_all()
    last.close()


def make_client() -> EngineClient:
    made = EngineClient()
    made.engine.tenancy.watch = lambda: None  # a keeper would live for longer than the test's cloud
    return made
