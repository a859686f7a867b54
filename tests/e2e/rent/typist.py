"""Somebody at a terminal who runs scripts on rented machines: the command's own code, on the engine of a tenant."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path

from choline_jupyter.cli.command import run_script
from choline_jupyter.model.event import Event
from choline_jupyter.model.job import JobRow
from choline_jupyter.session.bridge import WorkerBridge
from choline_jupyter.session.options import ScriptRequest, parse_command
from tests.e2e.losses.agent_processes import wait_until
from tests.e2e.losses.engine_client import EngineClient, read_text

PATIENCE = 120.0


class Typist:
    """Owns a thread for the command that was typed."""

    def __init__(self, client: EngineClient) -> None:
        self._store = client.engine.store
        self._bridge = WorkerBridge(client.engine, client._loop)
        self._ended: Future[int] = Future()

    def type(self, line: str) -> None:
        """Run `choline LINE`; returns when its job is known."""
        request = parse_command(line.split())
        assert isinstance(request, ScriptRequest)

        def run() -> None:
            try:
                self._ended.set_result(run_script(self._bridge, request))
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


def wait_for_file(folder: Path, pattern: str) -> Path:
    """The first file of a pattern that comes home."""
    wait_until(lambda: list(folder.glob(pattern)))
    return sorted(folder.glob(pattern))[0]
