"""The way to a rented machine that has an sshd: its own key opens it, and it must have the host key that it was given.

Used by the providers whose machines are reached by ssh. Nothing of the user's own ssh (keys, agent, known hosts) is
offered to a stranger; a machine whose key is another is not connected to, whatever anybody answers (promise P11).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from choline_jupyter.providers.config import ConfigError
from choline_jupyter.providers.provider import Access, Contact
from choline_jupyter.transport.address import Address, parse_address
from choline_jupyter.transport.channel import Transport
from choline_jupyter.transport.openssh import OpenSSHTransport

IDENTITY = "id"  # the file with the private key, in a contact's folder of keys


def make_way(contact: Contact, access: Access, options: tuple[str, ...] = ()) -> Transport:
    """To the agent on this machine; raises ConfigError when the provider has told no address yet."""
    if not contact.address or not contact.keys:
        raise ConfigError(f"{contact.machine} has no address yet.")
    try:
        address = parse_address(contact.address)
    except ValueError as error:
        raise ConfigError(f"{error}.") from None
    options = options if access.start else (*options, "--no-start")
    files = _list_files(contact.keys, contact.machine)
    if access.client == "paramiko" or not (access.client or shutil.which("ssh")):
        from choline_jupyter.transport.paramiko_ssh import ParamikoTransport

        return ParamikoTransport(address, None, "", options, {name.lower(): value for name, value in files.items()})
    strict = {"StrictHostKeyChecking": "yes", "HostKeyAlgorithms": "ssh-ed25519", "IdentityAgent": "none"}
    settings = [f"{name}={value}" for name, value in {**files, **strict}.items()]
    return OpenSSHTransport(address, None, "", options, settings)


def note_host(keys: Path, label: str, address: str, host_key: str) -> None:
    """Write down the key that a machine must have, before anybody connects; both ssh clients read it."""
    if address:
        _find_hosts(keys, label).write_text(f"{_name_host(parse_address(address))} {host_key}\n")


def forget_host(keys: Path, label: str) -> None:
    """The machine is gone."""
    _find_hosts(keys, label).unlink(missing_ok=True)


def _list_files(keys: Path, label: str) -> dict[str, str]:
    return {
        "IdentityFile": str(keys / IDENTITY),
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": str(_find_hosts(keys, label)),
        "GlobalKnownHostsFile": "/dev/null",
    }


def _find_hosts(keys: Path, label: str) -> Path:
    return keys / f"{label}.hosts"


def _name_host(address: Address) -> str:
    """As known_hosts has it (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""
    return f"[{address.name}]:{address.port}" if address.port not in (0, 22) else address.name
