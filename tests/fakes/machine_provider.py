"""A provider in memory whose machines are real: each is an sshd that runs the startup script that it was ordered with.

A machine ends itself by a file that it makes in its home, as one of a marketplace does by a call with its own key.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.providers import registry
from choline_jupyter.providers.provider import (
    ANY,
    LABEL,
    SELF_DESTROY,
    STARTUP,
    STOP,
    Access,
    Contact,
    Order,
    Provider,
    Sighting,
)
from choline_jupyter.providers.rented import make_way
from choline_jupyter.session import engine
from choline_jupyter.session.rent import suppliers
from choline_jupyter.transport.channel import Transport
from tests.fakes.machine import Machine
from tests.fakes.memory_provider import MemoryProvider

_LINGER = ("--linger", "1")


def install(provider: MachineProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it beside the providers that are installed."""

    def load(name: str) -> Provider:
        return provider if name == provider.name else registry.load_provider(name)

    for module in (engine, suppliers):
        monkeypatch.setattr(module, "load_provider", load)
        monkeypatch.setattr(module, "list_names", lambda: sorted({*registry.list_names(), provider.name}))


class MachineProvider(MemoryProvider):
    """Owns its machines until `close`."""

    name = "memory"
    capabilities = frozenset({LABEL, SELF_DESTROY, STARTUP, STOP})

    def __init__(self, answers: tuple[str, ...] = (), lag: int = 0, offers: int = 3) -> None:
        super().__init__(answers, lag, offers)
        self.machines: dict[str, Machine] = {}
        self.is_bare = False
        self.hidden: list[Path] = []  # folders of the user that its machines do not share
        self.impostors: set[str] = set()  # handles at whose address somebody else answers, with a host key of their own

    async def create(self, order: Order) -> str:
        handle = await super().create(order)
        self.machines[handle] = Machine(
            "" if handle in self.impostors else order.startup, is_bare=self.is_bare, hidden=self.hidden
        )
        self.before("booted")
        return handle

    async def destroy(self, handle: str) -> None:
        await super().destroy(handle)
        if handle in self.machines:
            self.machines[handle].end()

    def outbid(self, handle: str) -> None:
        """Somebody pays more: the machine is halted, its disk stays."""
        self.states[handle] = InstanceState.PREEMPTED
        self.machines[handle].freeze()

    def win(self, handle: str) -> None:
        """The bid is the highest again: the machine runs, with the disk that it had."""
        self.machines[handle].thaw()
        del self.states[handle]

    def connect(self, contact: Contact, access: Access = ANY) -> Transport:
        return make_way(contact, access, _LINGER)

    def find_end(self) -> str:
        return "touch ~/ended"

    def lives(self, handle: str) -> bool:
        """Whether it costs money; one that has ended itself does not from the moment somebody looks."""
        if handle in self.alive and (self.machines[handle].folder / "home/ended").exists():
            del self.alive[handle]
            self.machines[handle].end()
        return handle in self.alive

    def close(self) -> None:
        for machine in self.machines.values():
            machine.end()

    def _see(self, handle: str) -> Sighting:
        seen, machine = super()._see(handle), self.machines[handle]
        if not self.lives(handle):
            return Sighting(handle, seen.label, InstanceState.GONE)
        state = seen.state if machine.listens() or seen.state is not InstanceState.READY else InstanceState.BOOTING
        return Sighting(handle, seen.label, state, address=machine.address, hour=self.hour)
