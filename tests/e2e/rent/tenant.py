"""Somebody who rents: an engine whose user says yes, and the cells that they run on rented machines."""

from __future__ import annotations

import contextlib

from choline_jupyter.errors import CholineError
from choline_jupyter.model.instance import InstanceRow
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.options import parse_cell
from tests.e2e.losses.engine_client import EngineClient
from tests.fakes.machine_provider import MachineProvider

LINE = "--gpu 4x3090 --ranks 1 --provider memory --budget 2"


class Tenant:
    """Owns an engine. `asked` has what the user was asked."""

    def __init__(self, provider: MachineProvider) -> None:
        self.provider = provider
        self.client = EngineClient()
        self.asked: list[str] = []
        self.tenancy = self.client.engine.tenancy
        self.tenancy._agree = self._agree
        self.tenancy.watch = lambda: None  # a keeper is another process, which does not know this provider

    def open(self, line: str = LINE, name: str = "notebook") -> LiveSession:
        """The session that a cell with these options runs in."""
        return self.client.call(self.client.engine.open(make_spec(name, parse_cell(line).options)))

    def list_open(self) -> list[InstanceRow]:
        """What the ledger says may live."""
        return self.tenancy.fleet.list_open()

    def unplug(self) -> None:
        """The laptop is gone: nothing of this client does anything any more."""
        self.client.close()

    def close(self) -> None:
        with contextlib.suppress(CholineError, TimeoutError):
            self.client.close()

    async def _agree(self, question: str) -> bool:
        self.asked.append(question)
        return True
