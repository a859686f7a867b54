"""A sandbox for the contract of transports: the fakes in a process of their own, and one sandbox rented from it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from choline_jupyter.model.offer import Wish
from choline_jupyter.providers.modal_cloud.execution import ModalTransport
from choline_jupyter.providers.modal_cloud.provider import ModalProvider
from choline_jupyter.providers.modal_cloud.sdk import close_accounts
from choline_jupyter.providers.provider import Order
from choline_jupyter.transport.channel import Transport

_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def start_cloud() -> Iterator[Path]:
    """As `make fakes` does it; CHOLINE_FAKE_CLOUD leads to it meanwhile."""
    with tempfile.TemporaryDirectory(prefix="chf-") as folder:
        path = Path(folder) / "cloud.json"
        environment = {**os.environ, "PYTHONPATH": str(_ROOT), "CHOLINE_FAKE_CLOUD": str(path)}
        command = [sys.executable, "-m", "tests.fakes"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout
            assert process.stdout.readline().startswith(b"Fake providers")
            with mock.patch.dict(os.environ, {"CHOLINE_FAKE_CLOUD": str(path)}):
                yield path
                asyncio.run(close_accounts())
            process.send_signal(signal.SIGTERM)


@contextmanager
def rent_sandbox(gpu: str = "A100-80GB") -> Iterator[str]:
    """The id of a sandbox."""
    with start_cloud():
        handle = asyncio.run(_rent(gpu))
        yield handle
        asyncio.run(ModalProvider().destroy(handle))


def make_transport(handle: str, options: tuple[str, ...]) -> Transport:
    return ModalTransport(handle, options)


async def _rent(gpu: str) -> str:
    provider = ModalProvider()
    [offer] = await provider.list_offers(Wish(gpu=gpu))
    return await provider.create(Order("lab", offer, 0, 3600))
