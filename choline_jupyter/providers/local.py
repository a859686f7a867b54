"""The provider `local`: this machine, the notebook's own interpreter, the notebook's own folder, no cost, no account.

Found through the registry like any other. Its one instance is the machine itself: it is always there, is never
destroyed, and what `create` is asked for it has already.
"""

from __future__ import annotations

import os
import sys
from typing import ClassVar

from choline_jupyter.model.offer import ANYTHING, Offer, Wish
from choline_jupyter.providers.own import OwnProvider
from choline_jupyter.providers.provider import ANY, FREE, LABEL, Access, Contact
from choline_jupyter.transport.channel import Transport
from choline_jupyter.transport.pipe import PipeTransport


class LocalProvider(OwnProvider):
    """The machine we are on. Every label means the same instance."""

    name: ClassVar[str] = "local"
    capabilities: ClassVar[frozenset[str]] = frozenset({FREE, LABEL})
    is_this_machine: ClassVar[bool] = True

    def __init__(self, python: str = sys.executable, home: str = "", options: tuple[str, ...] = ()) -> None:
        super().__init__(options)
        self._python, self._home = python, home

    async def list_offers(self, wish: Wish = ANYTHING) -> list[Offer]:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return [Offer("local", "this machine", cpus=os.cpu_count() or 1, memory=memory)]

    def connect(self, contact: Contact, access: Access = ANY) -> Transport:
        options = self._options if access.start else (*self._options, "--no-start")
        return PipeTransport(self._python, self._home, options)

    def find_python(self, machine: str) -> str:
        return self._python
