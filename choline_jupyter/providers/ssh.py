"""The provider `ssh`: machines of the user's own that can be reached by ssh, free of charge here.

Found through the registry. An instance is a host; its label is its address or its name in the configuration. It is
never created and never destroyed: sessions on it are.
"""

from __future__ import annotations

import shutil
from typing import ClassVar

from choline_jupyter.model.offer import ANYTHING, Offer, Wish
from choline_jupyter.providers.config import ConfigError, read_hosts
from choline_jupyter.providers.own import OwnProvider
from choline_jupyter.providers.provider import ANY, FREE, LABEL, NEEDS_HOST, Access, Contact
from choline_jupyter.transport.address import Address, parse_address
from choline_jupyter.transport.channel import Transport
from choline_jupyter.transport.openssh import OpenSSHTransport


class SSHProvider(OwnProvider):
    """Hosts reached through the user's own ssh."""

    name: ClassVar[str] = "ssh"
    capabilities: ClassVar[frozenset[str]] = frozenset({FREE, LABEL, NEEDS_HOST})

    async def list_offers(self, wish: Wish = ANYTHING) -> list[Offer]:
        return [Offer("ssh", host.name, host.gpus) for host in read_hosts().values()]

    def connect(self, contact: Contact, access: Access = ANY) -> Transport:
        options = self._options if access.start else (*self._options, "--no-start")
        address = _find_address(contact.machine)
        if access.client == "paramiko" or not (access.client or shutil.which("ssh")):
            from choline_jupyter.transport.paramiko_ssh import ParamikoTransport

            return ParamikoTransport(address, access.ask, access.accept_key, options)
        return OpenSSHTransport(address, access.ask, access.accept_key, options)

    def find_python(self, machine: str) -> str:
        host = read_hosts().get(machine)
        return host.python if host else ""


def _find_address(label: str) -> Address:
    """A host of the configuration by its name, else the address itself."""
    host = read_hosts().get(label)
    try:
        return parse_address(host.host if host else label)
    except ValueError as error:
        raise ConfigError(f"{error}.") from None
