"""The engine alone: jobs sent and events read through the session's own interface, with no notebook between."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.bridge import Bridge
from choline_jupyter.session.cargo import Packed
from choline_jupyter.session.job_end import is_end
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.spec import SessionSpec, copy_environment
from choline_jupyter.wire.frame import Type
from tests.benchmarks.timing import Timing

PATIENCE = 120.0
# Nothing waits for these: they are sent whenever something has been stored, consumed, or not been heard for long.
UNANSWERED = {Type.ACK, Type.CREDIT, Type.PING}


class EngineDriver:
    """One engine in this process with one session at a time; used by one thread, in an entered home.

    `place` says where its sessions are (their names aside); without one, on this machine.
    """

    def __init__(self, place: SessionSpec | None = None) -> None:
        self._place = place or SessionSpec("", environment=copy_environment())
        self.bridge = Bridge()
        self.session: LiveSession | None = None
        self._count = 0
        self._sent: list[Type] = []

    def open(self, name: str, spec: SessionSpec | None = None) -> LiveSession:
        """Go to a session, found or made, at the driver's place if not said otherwise; what follows runs in it."""
        spec = spec or dataclasses.replace(self._place, name=name)
        self.session = self.bridge.call(self.bridge.engine.open(spec))
        return self.session

    def run(self, code: str, along: Packed = Packed({})) -> Timing:  # noqa: B008 - never changed
        """Run code as a job and read its events up to the one that ends it; raises RuntimeError when it fails.

        `along`: what goes with it.
        """
        session = self._get_session()
        self._count += 1
        job = JobRow(make_identifier("j"), session.row.id)
        received, start = session.connection.frames_received, time.perf_counter()
        header = {"msg_id": job.id, "count": self._count, "allow_stdin": False, **along.header}
        self.bridge.post(session.run, job, code, header, along.extra)
        timing = Timing()
        while not is_end(event := self._read(session)) or event.job != job.id:
            _count(event, timing, start)
        timing.finished = time.perf_counter()
        timing.done = timing.finished - start
        timing.messages = session.connection.frames_received - received
        return timing

    def evaluate(self, expression: str) -> str:
        """The text of an expression's value."""
        session = self._get_session()
        job = JobRow(make_identifier("j"), session.row.id)
        self.bridge.post(session.run, job, expression, {"msg_id": job.id, "count": 1, "allow_stdin": False})
        found = ""
        while not is_end(event := self._read(session)) or event.job != job.id:
            if event.kind is Kind.RESULT and event.job == job.id:
                found = str(event.read_content()["data"]["text/plain"])
        return found

    def wait_for_preload(self) -> None:
        """Return when new kernels come from the fork server that has imported torch; raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with self.visit(f"probe {time.monotonic()}"):
                if self.run("import sys\nif 'torch' in sys.modules: print('yes')").lines:
                    return
        raise TimeoutError("the fork server has not imported torch")

    def count_requests(self, code: str, times: int) -> list[int]:
        """The frames that each run of a cell sent and that something waited for: one is one round trip."""
        connection = self._get_session().connection
        channel: Any = connection._channel
        channel.writer = _Tap(channel.writer, self._sent)
        counts = []
        for _ in range(times):
            self._sent.clear()
            self.run(code)
            counts.append(sum(type_ not in UNANSWERED for type_ in self._sent))
        channel.writer = channel.writer.writer
        return counts

    def stop(self) -> None:
        """End the session with its kernel."""
        session, self.session = self._get_session(), None
        self.bridge.call(self.bridge.engine.stop(session.row))

    def purge(self) -> None:
        """End everything on the session's machine and remove what is kept there."""
        row = self._get_session().row
        self.session = None
        self.bridge.call(self.bridge.engine.purge(row.provider, row.machine))

    @contextmanager
    def visit(self, name: str, spec: SessionSpec | None = None) -> Iterator[float]:
        """Run in a session of this block's own; gives when it was asked for, by `time.perf_counter`."""
        before, start = self.session, time.perf_counter()
        self.open(name, spec)
        try:
            yield start
        finally:
            self.stop()
            self.session = before

    def close(self) -> None:
        """Let go of the machine; the engine's thread ends."""
        self.bridge.close()
        self.bridge.post(self.bridge._loop.stop)

    def _get_session(self) -> LiveSession:
        assert self.session is not None, "no session is open"
        return self.session

    def _read(self, session: LiveSession) -> Event:
        event = session.feed.get(PATIENCE)
        if event is None:
            raise session.failure or TimeoutError("the engine has been silent for too long")
        return event


class _Tap:
    """A channel's writer that notes the type of each frame written."""

    def __init__(self, writer: Any, sent: list[Type]) -> None:
        self.writer, self._sent = writer, sent

    def write(self, data: bytes) -> None:
        self._sent.append(Type(data[4]))
        self.writer.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.writer, name)


def _count(event: Event, timing: Timing, start: float) -> None:
    if event.kind is Kind.ERROR:
        raise RuntimeError("\n".join(event.read_content()["traceback"]))
    if event.kind is Kind.STATE:
        return
    timing.first = min(timing.first, time.perf_counter() - start)
    if event.kind is Kind.STREAM:
        timing.lines += event.read_content()["text"].count("\n")
