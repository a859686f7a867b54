"""The world of the provider `modal` for the contract of providers: Modal's own package against the servicer."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from choline_jupyter.providers.modal_cloud.sdk import close_accounts
from tests.fakes.modal_servicer.cloud import ModalCloud

# Modal's package tries again what fails with the others (tests/providers/modal_cloud has them), and reads no JSON.
FAULTS = ("401", "429", "410")


@contextmanager
def open_cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModalCloud]:
    """The servicer in this process, found as a developer's is."""
    cloud = ModalCloud()
    monkeypatch.setenv("MODAL_SERVER_URL", cloud.url)  # as the provider does it, but it is gone again after the test
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "fake-cloud.json"
        told.write_text(json.dumps({"modal": cloud.tell()}))
        monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(told))
        try:
            yield cloud
        finally:
            asyncio.run(close_accounts())
            cloud.close()
