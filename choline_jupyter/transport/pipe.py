"""The transport to an agent on this machine: a socket pair whose other end a connector process passes on.

Called by `providers.local`. The supervisor then holds the other end itself: no process stands between.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from choline_jupyter.transport.channel import LIMIT, Channel, Transport, TransportError

_AGENT = Path(__file__).resolve().parents[1] / "agent" / "__main__.py"
_BUFFER = 1 << 20


class PipeTransport(Transport):
    """Runs `python agent connect` with a socket as its standard input and output."""

    def __init__(self, python: str = sys.executable, home: str = "", options: tuple[str, ...] = ()) -> None:
        where = ("--home", home) if home else ()
        # -S: the agent needs the standard library only, and `site` would cost more than the agent itself
        self._command = [sys.executable, "-S", str(_AGENT), "connect", "--python", python, *where, *options]

    async def open(self) -> Channel:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        errors: IO[bytes] = tempfile.TemporaryFile()
        try:
            process = _start(self._command, theirs, errors)
        except OSError as error:
            raise TransportError("The agent cannot be started on this machine: %s." % error.strerror) from None
        finally:
            theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LIMIT)
        return Channel(reader, writer, lambda: _end(process, errors))


def _start(command: list[str], channel: socket.socket, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """In a process group of its own: an interrupt of the notebook's kernel is not meant for it."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.Popen(
        command,
        stdin=channel.fileno(),
        stdout=channel.fileno(),
        stderr=errors,
        start_new_session=True,
        cwd="/",
        env=environment,
    )


def _end(process: subprocess.Popen[bytes], errors: IO[bytes]) -> str:
    """The supervisor lets go of the channel, and with that the connector ends; it is not waited for in vain."""
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip()
    errors.close()
    return said
