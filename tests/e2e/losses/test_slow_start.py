"""An agent that is slow to say its first word, on a machine that says something else meanwhile."""

from __future__ import annotations

import pytest

from choline_jupyter.providers.local import LocalProvider
from choline_jupyter.transport.channel import Channel, Transport
from choline_jupyter.transport.pipe import PipeTransport
from choline_jupyter.transport.process import open_program
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.conftest import LINGER
from tests.e2e.losses.engine_client import EngineClient

pytestmark = pytest.mark.e2e

PING = 2.0  # seconds


class SlowTransport(Transport):
    """The first channel has a note on its error stream, as ssh's about a new host, and brings nothing."""

    def __init__(self) -> None:
        self.opened = 0

    async def open(self) -> Channel:
        self.opened += 1
        if self.opened == 1:
            return await open_program(["sh", "-c", "echo 'Warning: a note' >&2; exec sleep 60"], {})
        return await PipeTransport(options=LINGER).open()


def test_it_is_asked_again(home: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a channel is given up here says nothing of the machine, and nor does what stood on its error stream."""
    transport = SlowTransport()
    monkeypatch.setattr(LocalProvider, "connect", lambda provider, label, access: transport)
    client = EngineClient(PING)
    try:
        assert client.evaluate(client.open("slow"), "6 * 7") == "42"
        assert transport.opened > 1
        client.stop_all()
    finally:
        client.close()
