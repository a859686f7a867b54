"""The transport through OpenSSH's own client: configuration, agent, jumps, proxies, certificates as the user has them.

Called by `providers.ssh` where there is an `ssh`; `transport.paramiko_ssh` serves where there is none. One process, one
channel; the first one lets later ones share its connection (a control socket of our own). Host keys are always checked,
whatever the user's configuration says, and nothing is forwarded.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence

from choline_jupyter.transport.address import Address
from choline_jupyter.transport.askpass import Ask, Askpass
from choline_jupyter.transport.bootstrap import Bootstrap, make_bootstrap
from choline_jupyter.transport.channel import Channel, Transport
from choline_jupyter.transport.process import open_program
from choline_jupyter.transport.ssh_failure import explain_failure, explain_silence

_PATIENCE = 30.0
_LONGEST = 60  # bytes of the temporary folder's path; that of a socket is limited to some 100
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
    "ControlPersist": "no",
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
        self._control = ""

    async def open(self) -> Channel:
        folder = _make_control_folder()
        self._control = f"{folder}/ssh" if folder else ""
        # a master of the user's could be ended by them, and our channel with it
        sharing = {"ControlMaster": "yes" if folder else "no", "ControlPath": self._control or "none"}
        try:
            channel = await self._open(sharing)
        except BaseException:
            _remove(folder)
            raise
        end = channel.end
        channel.end = lambda: _end_both(end, folder)
        return channel

    async def open_beside(self) -> Channel:
        return await self._open({"ControlMaster": "no", "ControlPath": self._control or "none"})

    async def _open(self, sharing: dict[str, str]) -> Channel:
        bootstrap = make_bootstrap(self._options)
        async with Askpass(self._ask, self._accept_key) as askpass:
            command = self._make_command(bootstrap, sharing)
            channel = await open_program(command, {**os.environ, **askpass.environment})
            try:
                await self._start(channel, bootstrap, askpass)
            except EOFError:
                said = await channel.close()
                raise explain_failure(str(self._address), said, askpass.fingerprint) from None
            except BaseException:
                await channel.close()
                raise
        return channel

    def _make_command(self, bootstrap: Bootstrap, sharing: dict[str, str]) -> list[str]:
        address = self._address
        given = [part for setting in self._settings for part in ("-o", setting)]
        ours = [part for name, value in {**_SETTINGS, **sharing}.items() for part in ("-o", f"{name}={value}")]
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
                    raise explain_silence(str(self._address), _PATIENCE)
            await hands
        finally:
            hands.cancel()


def _make_control_folder() -> str:
    """A folder of the user's own for one control socket; empty where ssh cannot share connections."""
    if sys.platform == "win32" or len(tempfile.gettempdir()) > _LONGEST:
        return ""
    return tempfile.mkdtemp(prefix="choline-ssh-")


def _end_both(end: Callable[[], str], folder: str) -> str:
    said = end()
    _remove(folder)
    return said


def _remove(folder: str) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
