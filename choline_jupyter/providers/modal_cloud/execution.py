"""A program in a sandbox, started by Modal's exec, as `transport.exec_stream` wants it, and the transport made of it.

Made by `provider`. The agent is pushed and started by the same script as over ssh; a channel beside another is a second
exec in the same sandbox. Modal's pieces of output split lines, and frames, anywhere: nothing here relies on them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from choline_jupyter.providers.failure import ProviderFailure
from choline_jupyter.providers.modal_cloud.sdk import explain, load, open_account
from choline_jupyter.transport.bootstrap import Bootstrap, make_bootstrap
from choline_jupyter.transport.channel import Channel, Transport, TransportError
from choline_jupyter.transport.exec_stream import open_stream

if TYPE_CHECKING:
    from modal import Sandbox
    from modal.container_process import ContainerProcess

VOLUME = "/mnt/choline"  # where the account's volume `choline` is mounted
_OPENING = 90.0  # seconds; a sandbox may have to be started first
_ENDING = 2.0
_WORDS = 4096

# Workspaces are on the volume, so that they are still there when the sandbox is not; the rest of the agent is not.
_LINK = f"""
home="$HOME/.local/state/choline/agent"
if [ -d {VOLUME} ] && [ ! -e "$home/workspaces" ]; then
    mkdir -p {VOLUME}/workspaces "$home" && ln -sn {VOLUME}/workspaces "$home/workspaces" 2>/dev/null
fi
"""


class ModalTransport(Transport):
    """To the agent in the sandbox of this id."""

    def __init__(self, handle: str, options: tuple[str, ...] = ()) -> None:
        self._handle, self._options = handle, options
        self._sandbox: Sandbox | None = None

    async def open(self) -> Channel:
        """Its end takes the connection to the sandbox's machine along, and so the channels beside it."""
        try:
            self._sandbox = await self._find()
        except ProviderFailure as failure:
            raise TransportError(str(failure), failure.hint) from None
        return await self._try(self._sandbox, ends_way=True)

    async def open_beside(self) -> Channel:
        return await (self._try(self._sandbox) if self._sandbox else self.open())

    async def _try(self, sandbox: Sandbox, *, ends_way: bool = False) -> Channel:
        bootstrap = make_bootstrap(self._options)
        try:
            return await asyncio.wait_for(_open(sandbox, bootstrap, ends_way=ends_way), _OPENING)
        except ProviderFailure as failure:
            raise TransportError(str(failure), failure.hint) from None
        except asyncio.TimeoutError:
            raise TransportError(
                f"The sandbox started nothing within {_OPENING:.0f} seconds.",
                "Look at it on modal.com, or run it again.",
            ) from None

    async def _find(self) -> Sandbox:
        account = await open_account()
        with explain(is_harmless=True):
            sandbox: Sandbox = await load().Sandbox.from_id.aio(self._handle, client=account.client)
        if sandbox.returncode is not None:
            raise TransportError("The sandbox has ended.", "`choline status` says why, and what it has cost.")
        return sandbox


async def _open(sandbox: Sandbox, bootstrap: Bootstrap, *, ends_way: bool) -> Channel:
    with explain(is_harmless=True):
        process = await sandbox.exec.aio("/bin/sh", "-c", _LINK + bootstrap.command, text=False)
    channel = open_stream(ModalExecution(process, sandbox if ends_way else None))
    try:
        await bootstrap.shake_hands(channel.reader, channel.writer)
    except (EOFError, OSError):
        said = await channel.close()
        raise TransportError(f"The agent could not be started in the sandbox: {said or 'it said nothing'}.") from None
    except BaseException:
        await channel.close()
        raise
    return channel


class ModalExecution:
    """One exec. Owns a task that listens to its error stream. With it the way to `sandbox`, if that is given, ends."""

    def __init__(self, process: ContainerProcess[bytes], sandbox: Sandbox | None = None) -> None:
        self._process, self._sandbox = process, sandbox
        self._words = bytearray()
        self._listening = asyncio.create_task(self._listen())

    async def read(self) -> AsyncGenerator[bytes, None]:
        with _breaks():
            async for part in self._process.stdout:
                yield part

    async def write(self, data: bytes) -> None:
        with _breaks():
            self._process.stdin.write(data)
            await self._process.stdin.drain.aio()

    async def finish(self) -> None:
        with _breaks():
            self._process.stdin.write_eof()
            await self._process.stdin.drain.aio()

    async def end(self) -> str:
        """With its input the connector ends; there is no call that would end another program."""
        await asyncio.wait({self._listening}, timeout=_ENDING)
        self._listening.cancel()
        if self._sandbox:
            with suppress(OSError), _breaks():
                await self._sandbox.detach.aio()  # type: ignore[no-untyped-call]
        return bytes(self._words).decode(errors="replace").strip()

    async def _listen(self) -> None:
        """The last of what it says on its error stream, which ends with it."""
        with suppress(OSError), _breaks():
            async for part in self._process.stderr:
                self._words += part
                del self._words[:-_WORDS]


@contextmanager
def _breaks() -> Iterator[None]:
    """What Modal's package raises is the end of the way to the sandbox."""
    try:
        with explain(is_harmless=True):
            yield
    except ProviderFailure as failure:
        raise ConnectionResetError(str(failure)) from None
