"""What one client owns at the providers, as its ledger has it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from choline_jupyter.session.rent.fleet import Fleet


def test_nothing_overtakes_what_was_cancelled(tmp_path: Path) -> None:
    """A row that is written by somebody who gives up must not be written over what is noted after that."""
    fleet = Fleet(tmp_path)
    begun, goes_on, order = threading.Event(), threading.Event(), list[str]()

    def write() -> None:
        begun.set()
        goes_on.wait(10)
        order.append("first")

    async def story() -> None:
        writing = asyncio.ensure_future(fleet.run(write))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)
        writing.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not writing.done()
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert order == ["first"]

    asyncio.run(story())
