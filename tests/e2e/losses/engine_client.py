"""The engine as a notebook's process has it, without the notebook: jobs go in, events come out.

Made by conftest.py and by the tests that need several clients.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.connection import PING
from choline_jupyter.session.engine import Engine
from choline_jupyter.session.job_end import is_end
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.spec import LEASE, SessionSpec

PATIENCE = 120.0
Result = TypeVar("Result")


class EngineClient:
    """Owns a thread with the loop that its engine lives in; used by one thread, with the isolation's environment set."""

    def __init__(self, ping: float = PING) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.engine = Engine(self._loop, ping=ping)

    def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the engine's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def post(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have a function called in the engine's loop."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def open(self, name: str, lease: float = LEASE) -> LiveSession:
        """The session of this name, found or made."""
        return self.call(self.engine.open(SessionSpec(name, lease=lease)))

    def start(self, session: LiveSession, code: str, *, detached: bool = False, **header: Any) -> str:
        """Send a job and return its id; `header` is what else to say of it."""
        job = JobRow(make_identifier("j"), session.row.id, detached=detached)
        self.post(session.run, job, code, {"msg_id": job.id, "count": 1, "allow_stdin": True, **header})
        return job.id

    def confirm(self, session: LiveSession, job: str) -> None:
        """Return when the agent has taken the job."""
        self.call(_confirm(session, job))

    def finish(self, session: LiveSession, job: str) -> list[Event]:
        """The events of the job from here to its end; other events are thrown away."""
        events: list[Event] = []
        while not events or not is_end(events[-1]):
            event = session.feed.get(PATIENCE)
            if event is None:
                raise session.failure or AssertionError(f"nothing came for {PATIENCE} s after {events[-3:]}")
            if event.job == job:
                events.append(event)
        return events

    def run(self, session: LiveSession, code: str, **header: Any) -> list[Event]:
        """Run a job to its end."""
        return self.finish(session, self.start(session, code, **header))

    def evaluate(self, session: LiveSession, expression: str) -> str:
        """What a cell of one expression shows as its result."""
        return read_result(self.run(session, expression))

    def stop(self, session: LiveSession) -> None:
        """End the session with all its processes."""
        self.call(self.engine.stop(session.row))

    def stop_all(self) -> None:
        """End every session that is known here."""
        for row in self.engine.store.list_sessions():
            if row.state.is_open:
                self.call(self.engine.stop(row))

    def close(self) -> None:
        """Let go of the agent, store what waits, end the thread."""
        if self._loop.is_closed():
            return
        self.call(self.engine.close())
        self.engine.store.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


async def _confirm(session: LiveSession, job: str) -> None:
    await session.confirm(job)  # in one step of the loop with the lookup: the job was sent by the step before


def read_text(events: Iterable[Event], name: str = "stdout") -> str:
    """All text of one stream."""
    contents = [event.read_content() for event in events if event.kind is Kind.STREAM]
    return "".join(str(content["text"]) for content in contents if content["name"] == name)


def read_result(events: Iterable[Event]) -> str:
    """The text of the one result."""
    [result] = [event.read_content() for event in events if event.kind is Kind.RESULT]
    return str(result["data"]["text/plain"])


def read_reply(events: list[Event]) -> dict[str, Any]:
    """The reply that the job ended with."""
    reply: dict[str, Any] = events[-1].read_content()["reply"]
    return reply
