"""What a session is asked to have: once, without secrets, and again only what the other side says it lacks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import SUPERVISOR_RANK, Event, Kind, Series
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.session.connection import Connection
from choline_jupyter.session.live import LiveSession
from choline_jupyter.session.spec import SessionSpec
from choline_jupyter.wire.frame import Type

ROW = SessionRow("s-1", "a", "ssh", "lab", "/work", 1, SessionState.READY, 0.0, Trust.OWN)
SECRET = "mine @ git+https://anna:token@host.example/mine.git"


class Recorder:
    """A connection that keeps what is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Type, dict[str, Any]]] = []

    def ask(self, type: Type, header: dict[str, Any], body: bytes = b"") -> asyncio.Future[dict[str, Any]]:
        self.asked.append((type, header))
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        answer.set_result({})
        return answer

    def follow(self, *arguments: object) -> None:
        """Nothing comes."""


class Store:
    """Nothing was seen."""

    directory = Path("nowhere")  # nothing is kept of a session that is not on a rented machine

    def find_contiguous(self, session: str) -> dict[Series, int]:
        return {}


def open_session(spec: SessionSpec) -> tuple[LiveSession, Recorder]:
    recorder = Recorder()
    session = LiveSession(ROW, spec, cast("Connection", recorder), cast("EventStore", Store()))
    session.open()
    return session, recorder


def hear(session: LiveSession, fact: dict[str, Any]) -> None:
    series = Series(ROW.id, 1, SUPERVISOR_RANK)
    session._take(Event(series, 1, Kind.STATE, "", 0, 0.0, content=json.dumps(fact).encode()), 0)


async def run() -> None:
    session, recorder = open_session(SessionSpec("a", "ssh", "lab", packages=("a==1",)))
    session.add_packages(["a==1"], are_found=True)
    assert [header["packages"] for _, header in recorder.asked] == [["a==1"]]
    session.add_packages(["a==1", SECRET], are_found=False)
    (_, first), (asked, second) = recorder.asked
    assert asked is Type.OPEN
    assert (first["are_found"], second["are_found"]) == (True, False)
    assert second["packages"] == ["mine @ git+https://host.example/mine.git"]
    session.add_packages([SECRET], are_found=False)
    assert len(recorder.asked) == 2
    hear(session, {"state": "lacking", "packages": second["packages"]})
    session.add_packages(["a==1", SECRET], are_found=False)
    assert len(recorder.asked) == 3
    await asyncio.sleep(0)  # the tasks that hear the answers


def test_what_was_asked_for_is_not_asked_for_again() -> None:
    asyncio.run(run())
