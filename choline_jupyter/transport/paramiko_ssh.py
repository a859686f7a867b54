"""The transport through paramiko, for machines without an ssh client (or with `--ssh paramiko`).

Called by `providers.ssh`. Owns two threads while a channel is open, because paramiko blocks: one moves bytes each way
between its channel and a socket pair. It follows the same rules as `transport.openssh`: the user's `~/.ssh/config`
(HostName, User, Port, IdentityFile, ProxyCommand), agent and keys; OpenSSH's own known_hosts, never an unknown or changed
key without the user's word; nothing is forwarded. ProxyJump and certificates need the OpenSSH client.
"""

from __future__ import annotations

import asyncio
import base64
import getpass
import hashlib
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.transport.address import Address
from choline_jupyter.transport.askpass import Ask, Unanswered
from choline_jupyter.transport.bootstrap import make_bootstrap
from choline_jupyter.transport.channel import LIMIT, Channel, Transport, TransportError
from choline_jupyter.transport.ssh_failure import explain_failure, explain_silence

if TYPE_CHECKING:
    import paramiko

End = Callable[["paramiko.SSHClient", "paramiko.ChannelFile"], str]

_CONNECT = 15.0
_PATIENCE = 30.0
_CHUNK = 1 << 16
_QUESTIONS = 3
_WRONG_PASSPHRASE = ("Invalid key", "Authentication failed.")  # paramiko has no error of its own for it


class ParamikoTransport(Transport):
    """`settings` are of ~/.ssh/config's form, by lower-case name; they come before what that file says."""

    def __init__(
        self,
        address: Address,
        ask: Ask | None = None,
        accept_key: str = "",
        options: tuple[str, ...] = (),
        settings: dict[str, str] | None = None,
    ) -> None:
        self._address, self._ask, self._accept_key = address, ask, accept_key
        self._options, self._settings = options, settings or {}
        self._client: paramiko.SSHClient | None = None

    async def open(self) -> Channel:
        loop = asyncio.get_running_loop()
        opening = _Opening(self._address, self._find_settings(), self._accept_key, self._make_asker(loop))
        self._client = await loop.run_in_executor(None, opening.connect)
        return await self._start(self._client, opening.close)

    async def open_beside(self) -> Channel:
        return (
            await self._start(self._client, lambda _, errors: _hear_out(errors)) if self._client else await self.open()
        )

    async def _start(self, client: paramiko.SSHClient, end: End) -> Channel:
        """A channel on a connection, with the agent's connector at its other end."""
        bootstrap = make_bootstrap(self._options)
        ours, theirs = socket.socketpair()
        errors = await asyncio.get_running_loop().run_in_executor(None, _run, client, bootstrap.command, theirs)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LIMIT)
        channel = Channel(reader, writer, lambda: end(client, errors))
        try:
            await asyncio.wait_for(bootstrap.shake_hands(reader, writer), _PATIENCE)
        except EOFError:
            raise explain_failure(str(self._address), await channel.close()) from None
        except asyncio.TimeoutError:
            await channel.close()
            raise explain_silence(str(self._address), _PATIENCE) from None
        except BaseException:
            await channel.close()
            raise
        return channel

    def _find_settings(self) -> dict[str, Any]:
        """The user's configuration for this host, in ssh's order: what was given first wins."""
        import paramiko

        config = paramiko.SSHConfig()
        path = Path("~/.ssh/config").expanduser()
        if path.exists():
            config = paramiko.SSHConfig.from_path(str(path))
        return {**config.lookup(self._address.name), **self._settings}

    def _make_asker(self, loop: asyncio.AbstractEventLoop) -> Ask | None:
        return self._ask and _Asker(self._ask, loop).ask_there


class _Asker:
    """Lets paramiko's thread put a question in the engine's loop."""

    def __init__(self, ask: Ask, loop: asyncio.AbstractEventLoop) -> None:
        self._ask, self._loop = ask, loop

    def ask_there(self, question: str, is_secret: bool) -> Any:
        """Called in an executor; blocks until the user has answered. Raises Unanswered."""
        asked: Coroutine[Any, Any, str] = _put(self._ask, question, is_secret)
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()


async def _put(ask: Ask, question: str, is_secret: bool) -> str:
    return await ask(question, is_secret)


class _Opening:
    """One connection being made, in an executor's thread."""

    def __init__(self, address: Address, settings: dict[str, Any], accept_key: str, ask: Any) -> None:
        self._address, self._settings, self._accept_key, self._ask = address, settings, accept_key, ask
        self._proxy: paramiko.ProxyCommand | None = None
        self._known = Path(str(settings.get("userknownhostsfile", "~/.ssh/known_hosts")).split()[0]).expanduser()

    def connect(self) -> paramiko.SSHClient:
        """A connected, authenticated client; raises TransportError."""
        import paramiko

        client = paramiko.SSHClient()
        for path in ("/etc/ssh/ssh_known_hosts", str(self._known)):
            with suppress(OSError):
                client.load_host_keys(path) if path == str(self._known) else client.load_system_host_keys(path)
        client.set_missing_host_key_policy(_make_policy(self))
        try:
            self._try_log_in(client)
        except TransportError:
            self._end_proxy()
            raise
        transport = client.get_transport()
        if transport:
            transport.set_keepalive(15)
            if isinstance(transport.sock, socket.socket):  # a proxy command is none
                transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a cell waits for Nagle
        return client

    def _try_log_in(self, client: paramiko.SSHClient) -> None:
        """Log in, or say in OpenSSH's words what went wrong."""
        import paramiko

        try:
            self._log_in(client)
        except paramiko.BadHostKeyException:
            raise explain_failure(str(self._address), "REMOTE HOST IDENTIFICATION HAS CHANGED") from None
        except paramiko.AuthenticationException:
            raise explain_failure(str(self._address), "Permission denied") from None
        except paramiko.ssh_exception.NoValidConnectionsError:
            raise explain_failure(str(self._address), "Connection refused") from None
        except socket.gaierror:
            raise explain_failure(str(self._address), "Could not resolve hostname") from None
        except (paramiko.SSHException, OSError) as error:
            raise explain_failure(str(self._address), str(error)) from None

    def accept(self, client: paramiko.SSHClient, name: str, key: paramiko.PKey) -> None:
        """An unknown host key: accepted by its fingerprint or the user's word, then written down; raises TransportError."""
        fingerprint = _fingerprint(key)
        if self._accept_key != fingerprint and not self._confirm(fingerprint):
            raise explain_failure(str(self._address), "Host key verification failed", fingerprint)
        client.get_host_keys().add(name, key.get_name(), key)
        self._known.parent.mkdir(mode=0o700, exist_ok=True)
        with self._known.open("a") as file:
            file.write(f"{name} {key.get_name()} {key.get_base64()}\n")

    def close(self, client: paramiko.SSHClient, errors: paramiko.ChannelFile) -> str:
        """End the connection and the proxy's process; returns the other side's last words."""
        said = _hear_out(errors)
        thread = client.get_transport()
        client.close()
        if thread:
            thread.join(_CONNECT)  # it may still be writing to the proxy
        self._end_proxy()
        return said

    def _end_proxy(self) -> None:
        """Paramiko signals the process and leaves it a zombie with open pipes."""
        if self._proxy:
            process = self._proxy.process
            process.kill()
            process.communicate()

    def _confirm(self, fingerprint: str) -> bool:
        if self._accept_key or not self._ask:
            return False
        question = f"{self._address} is not known here; its key is {fingerprint}. Is it the right machine? (yes/no) "
        with suppress(Unanswered):
            answer = str(self._ask(question, False)).strip()
            return answer in ("yes", fingerprint)
        return False

    def _log_in(self, client: paramiko.SSHClient) -> None:
        """Connect; a key that needs a passphrase is asked for it as often as ssh asks."""
        import paramiko

        for passphrase in self._list_passphrases():
            command = self._settings.get("proxycommand")
            self._proxy = paramiko.ProxyCommand(str(command)) if command and command != "none" else None
            try:
                self._connect(client, passphrase)
            except paramiko.PasswordRequiredException:
                self._end_proxy()
            except paramiko.SSHException as error:
                self._end_proxy()
                if passphrase is None or str(error) not in _WRONG_PASSPHRASE:
                    raise
            else:
                return
        raise TransportError(
            f"The key for {self._address} needs its passphrase.",
            "Run the cell again and type it, or load the key into the ssh agent.",
        )

    def _list_passphrases(self) -> Iterator[str | None]:
        """None first, then what the user answers."""
        yield None
        keys = self._settings.get("identityfile", [])
        names = keys if isinstance(keys, str) else ", ".join(keys)
        for _ in range(_QUESTIONS if self._ask else 0):
            with suppress(Unanswered):
                yield str(self._ask(f"Enter passphrase for key '{names}': ", True))

    def _connect(self, client: paramiko.SSHClient, passphrase: str | None) -> None:
        settings = self._settings
        client.connect(
            str(settings.get("hostname", self._address.name)),
            port=self._address.port or int(settings.get("port", 22)),
            username=self._address.user or str(settings.get("user", getpass.getuser())),
            key_filename=settings.get("identityfile"),
            passphrase=passphrase,
            allow_agent=settings.get("identitiesonly", "no") != "yes",
            look_for_keys=settings.get("identitiesonly", "no") != "yes",
            sock=self._proxy,
            timeout=_CONNECT,
            banner_timeout=_CONNECT,
            auth_timeout=_PATIENCE,
        )


def _make_policy(opening: _Opening) -> paramiko.MissingHostKeyPolicy:
    import paramiko

    class Policy(paramiko.MissingHostKeyPolicy):
        """Asks; there is no policy here that accepts by itself."""

        def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
            opening.accept(client, hostname, key)

    return Policy()


def _fingerprint(key: paramiko.PKey) -> str:
    """As OpenSSH writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def _run(client: paramiko.SSHClient, command: str, ends: socket.socket) -> paramiko.ChannelFile:
    """Start the command and the two threads that join it to the socket."""
    transport = client.get_transport()
    if transport is None:
        raise TransportError("The connection ended before the agent could be started.", "Run the cell again.")
    channel = transport.open_session(window_size=1 << 23)
    channel.exec_command(command)
    for move in (_move_out, _move_in):
        threading.Thread(target=move, args=(channel, ends), name="choline-paramiko", daemon=True).start()
    return channel.makefile_stderr("rb")


def _hear_out(errors: paramiko.ChannelFile) -> str:
    """The other side's last words."""
    said = b""
    with suppress(OSError, EOFError):
        errors.channel.settimeout(1.0)
        said = errors.read(4096)
    return os.fsdecode(said).strip()


def _move_out(channel: paramiko.Channel, ends: socket.socket) -> None:
    """What the agent sends, until its end."""
    with suppress(OSError):
        while data := channel.recv(_CHUNK):
            ends.sendall(data)
    with suppress(OSError):
        ends.shutdown(socket.SHUT_RDWR)
    ends.close()


def _move_in(channel: paramiko.Channel, ends: socket.socket) -> None:
    """What this side sends, until it closes."""
    from paramiko import SSHException

    with suppress(OSError, EOFError):
        while data := ends.recv(_CHUNK):
            channel.sendall(data)
    with suppress(OSError, EOFError, SSHException):  # the connection may have ended before the channel
        channel.close()
