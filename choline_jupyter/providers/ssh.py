"""The provider `ssh`: machines of the user's own that can be reached by ssh, free of charge here.

Found through the registry. An instance is a host; its label is its address or its name in the configuration. It is
never created and never destroyed: sessions on it are.
"""

from __future__ import annotations

import shutil
from typing import ClassVar

from choline_jupyter.providers.config import ConfigError, read_hosts
from choline_jupyter.providers.provider import ANY, Access, Offer, Provider
from choline_jupyter.transport.address import Address, parse_address
from choline_jupyter.transport.channel import Transport
from choline_jupyter.transport.openssh import OpenSSHTransport


class SSHProvider(Provider):
    """Hosts reached through the user's own ssh."""

    name: ClassVar[str] = "ssh"
    capabilities: ClassVar[frozenset[str]] = frozenset({"free", "label_on_create", "needs_host"})

    def __init__(self, options: tuple[str, ...] = ()) -> None:
        self._options = options
        self._labels: set[str] = set()

    async def list_offers(self) -> list[Offer]:
        return [Offer("ssh", host.name, 0, 0, tuple(filter(None, (host.gpus,)))) for host in read_hosts().values()]

    async def create(self, label: str, offer: Offer) -> None:
        self._labels.add(label)

    async def list_mine(self) -> list[str]:
        return sorted(self._labels)

    async def destroy(self, label: str) -> None:
        self._labels.discard(label)

    def connect(self, label: str, access: Access = ANY) -> Transport:
        options = self._options if access.start else (*self._options, "--no-start")
        address = _find_address(label)
        if access.client == "paramiko" or not (access.client or shutil.which("ssh")):
            from choline_jupyter.transport.paramiko_ssh import ParamikoTransport

            return ParamikoTransport(address, access.ask, access.accept_key, options)
        return OpenSSHTransport(address, access.ask, access.accept_key, options)

    def find_python(self, label: str) -> str:
        host = read_hosts().get(label)
        return host.python if host else ""


def _find_address(label: str) -> Address:
    """A host of the configuration by its name, else the address itself."""
    host = read_hosts().get(label)
    try:
        return parse_address(host.host if host else label)
    except ValueError as error:
        raise ConfigError(f"{error}.") from None
