"""A channel through a program on this machine: its standard input and output are the two ends of a socket pair.

Used by `transport.pipe` (the agent's connector) and `transport.openssh` (the ssh client).
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

from choline_jupyter.transport.channel import LIMIT, Channel, TransportError

_BUFFER = 1 << 20
_PATIENCE = 2.0


async def open_program(command: Sequence[str], environment: Mapping[str, str]) -> Channel:
    """Start a program and return the channel to it; raises TransportError when it cannot be started."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the channel
    try:
        process = _start(command, environment, theirs, errors)
    except OSError as error:
        ours.close()
        raise TransportError(f"{command[0]} cannot be started on this machine: {error.strerror}.") from None
    finally:
        theirs.close()
    try:
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LIMIT)
    except BaseException:  # whoever wanted it has given up
        ours.close()
        process.kill()
        _end(process, errors)
        raise
    return Channel(reader, writer, lambda: _end(process, errors))


def _start(
    command: Sequence[str], environment: Mapping[str, str], channel: socket.socket, errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    """In a session of its own: an interrupt of the notebook's kernel is not meant for it, nor is its terminal."""
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
    """With the channel the program ends; one that does not is ended. Returns its last words."""
    try:
        process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip()
    errors.close()
    return said
