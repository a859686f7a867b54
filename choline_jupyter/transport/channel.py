"""What every transport gives: a channel of bytes to an agent.

Implemented by `transport.pipe` (this machine); the contract tests in tests/contracts run on each implementation.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

LIMIT = 1 << 20


class TransportError(Exception):
    """No channel could be opened; the message is one sentence for the user, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass
class Channel:
    """Two streams and what ends them. Owned by one `session.connection`; used in its event loop only."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    end: Callable[[], str]

    async def close(self) -> str:
        """End the channel and what carries it; returns what the other side said on its error stream, if anything."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()
        try:
            return await asyncio.get_running_loop().run_in_executor(None, self.end)
        except RuntimeError:  # the interpreter is on its way out and has no executor any more
            return self.end()


class Transport(abc.ABC):
    """A way to one machine's agent. `open` may be called again after a channel has ended."""

    @abc.abstractmethod
    async def open(self) -> Channel:
        """Start a connector over there and return the channel to it; raises TransportError."""

    async def open_beside(self) -> Channel:
        """A further channel beside the one that `open` gave and that stands, for bytes that must not delay what goes
        over that: on the same connection where the transport can, so that nobody is asked to log in again.
        """
        return await self.open()
