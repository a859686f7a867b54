"""Addresses of machines reached by ssh, as users write them: `name`, `user@name`, `user@name:port`, `[::1]:22`.

Used by `transport.openssh`, `transport.paramiko_ssh` and `providers.ssh`. A name may be an alias of the user's
`~/.ssh/config`: nothing about it is resolved here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<name>[^\s:@\[\]]+))"  # %eth0: the scope of an IPv6 address
_FORM = re.compile(r"(?:(?P<user>[^@\s]+)@)?" + _NAME + r"(?::(?P<port>\d{1,5}))?\Z")
_LARGEST_PORT = 65535


@dataclass(frozen=True)
class Address:
    """Where to go; `user` empty and `port` 0 leave it to the ssh configuration."""

    name: str
    user: str = ""
    port: int = 0

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.user}@{name}" * bool(self.user) + name * (not self.user) + f":{self.port}" * bool(self.port)


def parse_address(text: str) -> Address:
    """Read `user@name:port`; raises ValueError for anything else, also for what ssh would take for an option."""
    match = _FORM.match(text)
    if not match or text.startswith("-"):
        raise ValueError(f"{text!r} is not of the form user@name[:port]")
    name, user = match["six"] or match["name"], match["user"] or ""
    port = int(match["port"] or 0)
    if name.startswith("-") or user.startswith("-") or port > _LARGEST_PORT:
        raise ValueError(f"{text!r} is not of the form user@name[:port]")
    return Address(name, user, port)
