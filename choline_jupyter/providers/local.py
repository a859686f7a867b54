"""The provider `local`: this machine, the notebook's own interpreter, the notebook's own folder, no cost, no account.

Found through the registry like any other. Its one instance is the machine itself: it is always there, is never
destroyed, and what `create` is asked for it has already.
"""

from __future__ import annotations

import os
import sys
from typing import ClassVar

from choline_jupyter.providers.provider import ANY, Access, Offer, Provider
from choline_jupyter.transport.channel import Transport
from choline_jupyter.transport.pipe import PipeTransport


class LocalProvider(Provider):
    """The machine we are on. Every label means the same instance."""

    name: ClassVar[str] = "local"
    capabilities: ClassVar[frozenset[str]] = frozenset({"free", "label_on_create"})
    is_this_machine: ClassVar[bool] = True

    def __init__(self, python: str = sys.executable, home: str = "", options: tuple[str, ...] = ()) -> None:
        self._python, self._home, self._options = python, home, options
        self._labels: set[str] = set()

    async def list_offers(self) -> list[Offer]:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return [Offer("local", "this machine", os.cpu_count() or 1, memory)]

    async def create(self, label: str, offer: Offer) -> None:
        self._labels.add(label)

    async def list_mine(self) -> list[str]:
        return sorted(self._labels)

    async def destroy(self, label: str) -> None:
        self._labels.discard(label)

    def connect(self, label: str, access: Access = ANY) -> Transport:
        options = self._options if access.start else (*self._options, "--no-start")
        return PipeTransport(self._python, self._home, options)

    def find_python(self, label: str) -> str:
        return self._python
