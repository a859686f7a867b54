"""What `status` and `logs` say."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.session.report import render_duration, render_logs, render_status, render_text

MACHINE = "this machine"


def make_event(kind: Kind, content: dict[str, Any]) -> Event:
    return Event(Series("s-1", 1, 0), 1, kind, "j-1", 1, 0.0, content=json.dumps(content).encode())


def make_session(state: SessionState = SessionState.READY) -> SessionRow:
    return SessionRow("s-1", "a.ipynb", "local", MACHINE, "/work", 1, state, 0.0, Trust.OWN)


def host(**facts: Any) -> dict[str, Any]:
    now = time.time()
    hosted = {"session": "s-1", "running": "", "since": now - 5, "created": now - 200, "alive": True, "queue": []}
    return {MACHINE: {"sessions": [{**hosted, **facts}]}}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "idle, open for 3 min 20 s"),
        ({"running": "j-7"}, "runs j-7 for 5 s"),
        ({"running": "j-7", "queue": ["j-8", "j-9"]}, ", 2 waiting"),
        ({"alive": False}, "its kernel has ended; the next cell starts a new one"),
    ],
)
def test_a_session_as_its_agent_sees_it(facts: dict[str, Any], words: str) -> None:
    text = render_status([make_session()], [], host(**facts), 0)
    assert "a.ipynb (local, this machine): " in text
    assert words in text


@pytest.mark.parametrize("agents", [{}, {MACHINE: None}, {MACHINE: {"sessions": []}}])
def test_a_session_that_no_agent_has(agents: dict[str, Any]) -> None:
    assert "not running; its next cell starts it anew" in render_status([make_session()], [], agents, 0)


def test_nothing_open() -> None:
    text = render_status([make_session(SessionState.STOPPED)], [], {}, 0)
    assert text == "No session is open. `%%choline` on top of a cell opens one."


def test_the_newest_jobs_and_the_keeper() -> None:
    jobs = [
        JobRow(f"j-{number}", "s-1", state=JobState.FAILED, code="x =\n  1" + "y" * 100, ename="ValueError",
               started_at=10.0, ended_at=75.0)
        for number in range(12)
    ]  # fmt: skip
    text = render_status([make_session()], jobs, {}, 4711)
    assert "  j-0  failed ValueError, 1 min 5 s  x = 1yyy" in text
    assert "j-9" in text
    assert "j-10" not in text
    assert text.endswith("(pid 4711).")
    assert all(len(line) < 120 for line in text.splitlines())


def test_a_job_that_has_not_started_took_no_time() -> None:
    assert "j-1  queued, -  " in render_status([], [JobRow("j-1", "s-1")], {}, 0)


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        (Kind.STREAM, {"name": "stdout", "text": "a\r\n"}, "a\r\n"),
        (Kind.DISPLAY, {"data": {"text/plain": "<Figure>", "image/png": "x"}}, "<Figure>\n"),
        (Kind.RESULT, {"data": {"text/plain": "42"}}, "42\n"),
        (Kind.ERROR, {"traceback": ["one", "two"]}, "one\ntwo\n"),
        (Kind.STATE, {"state": "done"}, ""),
        (Kind.COMM, {"comm_id": "x"}, ""),
        (Kind.CLEAR, {"wait": True}, ""),
    ],
)
def test_one_event_as_text(kind: Kind, content: dict[str, Any], text: str) -> None:
    assert render_text(make_event(kind, content)) == text


def test_lost_output_is_not_silent() -> None:
    assert "missing" in render_text(make_event(Kind.GAP, {"reason": "deleted", "count": 3}))
    assert '"count": 3' in render_text(make_event(Kind.GAP, {"reason": "deleted", "count": 3}))


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=5))
def test_logs_are_what_was_written(texts: list[str]) -> None:
    events = [make_event(Kind.STREAM, {"text": text}) for text in texts]
    assert render_logs(events) == "".join(texts)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7505, "2 h 5 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert render_duration(seconds) == text
