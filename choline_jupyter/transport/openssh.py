"""The transport through OpenSSH's own client: configuration, agent, jumps, proxies, certificates as the user has them.

Called by `providers.ssh` where there is an `ssh`; `transport.paramiko_ssh` serves where there is none. One process, one
channel; host keys are always checked, whatever the user's configuration says, and nothing is forwarded.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from choline_jupyter.transport.address import Address
from choline_jupyter.transport.askpass import Ask, Askpass
from choline_jupyter.transport.bootstrap import Bootstrap, make_bootstrap
from choline_jupyter.transport.channel import Channel, Transport, TransportError
from choline_jupyter.transport.process import open_program
from choline_jupyter.transport.ssh_failure import explain_failure

_PATIENCE = 30.0
_CONNECT = 15  # seconds, for TCP and the first words of the server

_SETTINGS = {
    "StrictHostKeyChecking": "ask",  # never "no", also if the configuration says so
    "ConnectTimeout": str(_CONNECT),
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "2",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "ClearAllForwardings": "yes",
    "ControlMaster": "no",
    "ControlPath": "none",  # a master of the user's could be killed by them, and our channel with it
    "EscapeChar": "none",
    "RequestTTY": "no",
    "RemoteCommand": "none",
    "Ciphers": "^aes128-gcm@openssh.com",  # 1.3 to 1.5 times as fast as the default
}


class OpenSSHTransport(Transport):
    """Runs `ssh address` with the bootstrap as its command. `settings` are further `-o` options, for tests and hosts."""

    def __init__(
        self,
        address: Address,
        ask: Ask | None = None,
        accept_key: str = "",
        options: tuple[str, ...] = (),
        settings: Sequence[str] = (),
    ) -> None:
        self._address, self._ask, self._accept_key = address, ask, accept_key
        self._options, self._settings = options, tuple(settings)

    async def open(self) -> Channel:
        bootstrap = make_bootstrap(self._options)
        async with Askpass(self._ask, self._accept_key) as askpass:
            channel = await open_program(self._make_command(bootstrap), {**os.environ, **askpass.environment})
            try:
                await self._start(channel, bootstrap, askpass)
            except EOFError:
                said = await channel.close()
                raise explain_failure(str(self._address), said, askpass.fingerprint) from None
            except BaseException:
                await channel.close()
                raise
        return channel

    def _make_command(self, bootstrap: Bootstrap) -> list[str]:
        address = self._address
        given = [part for setting in self._settings for part in ("-o", setting)]
        ours = [part for name, value in _SETTINGS.items() for part in ("-o", f"{name}={value}")]
        port = ["-p", str(address.port)] if address.port else []
        user = ["-l", address.user] if address.user else []
        return ["ssh", "-T", *given, *ours, *port, *user, "--", address.name, bootstrap.command]

    async def _start(self, channel: Channel, bootstrap: Bootstrap, askpass: Askpass) -> None:
        """Until the connector is next; time in which the user is asked does not count."""
        hands = asyncio.ensure_future(bootstrap.shake_hands(channel.reader, channel.writer))
        try:
            while not hands.done():
                done, _ = await asyncio.wait({hands}, timeout=_PATIENCE)
                if not done and not askpass.is_waiting:
                    raise TransportError(
                        f"{self._address} let us in but started nothing within {_PATIENCE:.0f} seconds.",
                        "If its login shell starts tmux or asks something, let it do so only in interactive shells.",
                    )
            await hands
        finally:
            hands.cancel()
