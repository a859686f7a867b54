"""Somebody at a terminal who runs scripts on rented machines: the command's own code, on the engine of a tenant."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from choline_jupyter.cli.command import run_script
from choline_jupyter.model.event import Event
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.session import SessionRow
from choline_jupyter.session.bridge import WorkerBridge
from choline_jupyter.session.keeper import Keeper
from choline_jupyter.session.options import ScriptRequest, parse_command
from tests.e2e.losses.engine_client import EngineClient, read_text

PATIENCE = 120.0


def wait_until(condition: Callable[[], object]) -> None:
    """As that of the agent's processes, for what takes as long as renting and starting again does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


class Typist:
    """Owns a thread for the command that was typed."""

    def __init__(self, client: EngineClient) -> None:
        self.client = client
        self._store = client.engine.store
        self.bridge = WorkerBridge(client.engine, client._loop)
        self._ended: Future[int] = Future()

    def type(self, line: str) -> None:
        """Run `choline LINE`; returns when its job is known."""
        request = parse_command(line.split())
        assert isinstance(request, ScriptRequest)

        def run() -> None:
            try:
                self._ended.set_result(run_script(self.bridge, request))
            except BaseException as error:  # noqa: BLE001 - it is the test's, which asks for it
                self._ended.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        wait_until(lambda: self._store.list_jobs(limit=1) or self._ended.done())
        if self._ended.done():
            self._ended.result()

    @property
    def job(self) -> JobRow:
        """The newest job."""
        return self._store.list_jobs(limit=1)[0]

    def find_session(self) -> SessionRow:
        """The one of the newest job."""
        return next(row for row in self._store.list_sessions() if row.id == self.job.session)

    def read_events(self) -> list[Event]:
        """What has come of it so far."""
        self._store.flush()
        return list(self._store.read_job(self.job.id))

    def read(self, name: str = "stdout") -> str:
        """Its text so far."""
        return read_text(self.read_events(), name)

    def wait_for(self, text: str) -> None:
        """Until it has printed something, or has ended."""
        wait_until(lambda: text in self.read() or not self.job.state.is_open)
        assert text in self.read()

    def finish(self) -> int:
        """The command's exit status; raises what it has raised."""
        return self._ended.result(PATIENCE)


def wait_for_file(folder: Path, pattern: str) -> None:
    """Until one of a pattern has come home."""
    wait_until(lambda: list(folder.glob(pattern)))


@contextmanager
def keep() -> Iterator[Typist]:
    """A keeper at work, behind a client that has gone; gives what it knows of the newest job.

    It ends by itself, when nothing is left for it to do.
    """
    client = EngineClient()
    client.engine.tenancy.watch = lambda: None
    client.engine.tenancy.period = 0.5
    keeper = Keeper(client.engine)
    keeper.grace = 0.0  # there is no notebook that it would have to wait for
    serving = asyncio.run_coroutine_threadsafe(keeper.serve(), client._loop)
    kept = Typist(client)
    yield kept
    serving.result(PATIENCE)
    client.close()
