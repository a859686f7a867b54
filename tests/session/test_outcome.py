"""How the local cell ends because of what became of the remote one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from choline_jupyter.errors import DiskFull, KernelDied, OutOfMemory, ShownException
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.session.outcome import Outcome, explain_death, note_state, raise_outcome


def note(outcome: Outcome, **fact: Any) -> None:
    note_state(Event(Series("s-1", 1, -1), 1, Kind.STATE, "j-1", 1, 0.0, content=json.dumps(fact).encode()), outcome)


def test_success_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome()
    note(outcome, state="done", reply={"status": "ok"})
    raise_outcome(outcome)
    assert capsys.readouterr() == ("", "")


def test_the_users_error_keeps_its_name() -> None:
    outcome = Outcome()
    note(outcome, state="done", reply={"status": "error", "ename": "ValueError", "evalue": "no", "traceback": ["t"]})
    with pytest.raises(ShownException) as caught:
        raise_outcome(outcome)
    assert type(caught.value).__name__ == "ValueError"


def test_a_full_disk_is_an_error_though_the_cell_succeeded() -> None:
    outcome = Outcome()
    outcome.is_full = True
    note(outcome, state="done", reply={"status": "ok"})
    with pytest.raises(DiskFull):
        raise_outcome(outcome)


def test_a_cancelled_cell_says_why() -> None:
    outcome = Outcome()
    note(outcome, state="cancelled", reason="the session was stopped")
    with pytest.raises(KernelDied, match="did not run: the session was stopped"):
        raise_outcome(outcome)


@pytest.mark.parametrize(
    ("fact", "kind", "words"),
    [
        ({"oom": True, "code": -9}, OutOfMemory, "out of memory"),
        ({"reason": "no ipykernel"}, KernelDied, "did not start: no ipykernel"),
        ({"stopped": "it was stopped"}, KernelDied, "ended while this ran: it was stopped"),
        ({"code": None}, KernelDied, "without a trace"),
        ({}, KernelDied, "without a trace"),
        ({"code": -11}, KernelDied, "SIGSEGV"),
        ({"code": -40}, KernelDied, "signal 40"),
        ({"code": 3}, KernelDied, "exit status 3"),
        ({"code": 0}, KernelDied, "exit status 0"),
    ],
)
def test_deaths(fact: dict[str, Any], kind: type[Exception], words: str) -> None:
    error = explain_death(fact)
    assert type(error) is kind
    assert words in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ({"state": "queued"}, "waits for its turn"),
        ({"state": "preparing", "stage": "making an environment"}, "making an environment ..."),
        ({"state": "moved", "wanted": "/a", "directory": "/b"}, "/a cannot be made"),
        ({"state": "restarted"}, "started anew"),
    ],
)
def test_what_the_user_should_know_is_written(
    fact: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome()
    note(outcome, **fact)
    assert words in capsys.readouterr().err
    raise_outcome(outcome)


def test_unknown_states_are_none_of_the_users_business(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome()
    note(outcome, state="of a later version", detail=1)
    raise_outcome(outcome)
    assert capsys.readouterr() == ("", "")
