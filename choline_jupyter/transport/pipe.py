"""The transport to an agent on this machine: a socket pair whose other end a connector process passes on.

Called by `providers.local`. The supervisor then holds the other end itself: no process stands between.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from choline_jupyter.transport.channel import Channel, Transport
from choline_jupyter.transport.process import open_program

_AGENT = Path(__file__).resolve().parents[1] / "agent" / "__main__.py"
_OURS = ("PYTHONPATH", "PYTHONHOME")


class PipeTransport(Transport):
    """Runs `python agent connect` with a socket as its standard input and output."""

    def __init__(self, python: str = sys.executable, home: str = "", options: tuple[str, ...] = ()) -> None:
        where = ("--home", home) if home else ()
        # -S: the agent needs the standard library only, and `site` would cost more than the agent itself
        self._command = [sys.executable, "-S", str(_AGENT), "connect", "--python", python, *where, *options]

    async def open(self) -> Channel:
        environment = {key: value for key, value in os.environ.items() if key not in _OURS}
        return await open_program(self._command, environment)
