"""A program at the other end of a channel: none outlives whoever wanted it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import Any

import pytest

from choline_jupyter.transport import process
from choline_jupyter.transport.process import open_program


def test_a_channel_that_is_given_up_before_it_stands_leaves_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = process._start

    def note_start(*arguments: Any) -> subprocess.Popen[bytes]:
        started.append(start(*arguments))
        return started[0]

    async def give_up() -> None:
        begun = asyncio.Event()

        async def hang(**_: Any) -> None:
            begun.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(asyncio, "open_unix_connection", hang)
        opening = asyncio.ensure_future(open_program(["sleep", "600"], os.environ))
        await begun.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    monkeypatch.setattr(process, "_start", note_start)
    asyncio.run(give_up())
    assert started[0].poll() is not None
