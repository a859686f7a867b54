"""Rows written to a table and read back."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.ledger.rows import JOBS, SESSIONS, TEXT_LIMIT, clip_text
from choline_jupyter.model.job import JobState
from tests.ledger.samples import make_job, make_session


def test_rows_come_back_as_they_were() -> None:
    job = dataclasses.replace(make_job(), started_at=2.0, detached=True, execution_count=3)
    assert JOBS.decode(JOBS.encode(job)) == job
    assert SESSIONS.decode(SESSIONS.encode(make_session())) == make_session()


@given(st.text(st.characters(), max_size=100))
def test_any_text_can_be_stored(text: str) -> None:
    clip_text(text).encode()


@given(st.text(max_size=100))
def test_short_unicode_is_not_changed(text: str) -> None:
    assert clip_text(text) == text


def test_lone_surrogates_become_question_marks() -> None:
    assert clip_text("caf\udce9") == "caf?"


def test_long_text_is_cut_between_characters() -> None:
    kept = clip_text("x" + "\N{SNOWMAN}" * TEXT_LIMIT)
    assert TEXT_LIMIT - 3 < len(kept.encode()) <= TEXT_LIMIT
    assert set(kept) == {"x", "\N{SNOWMAN}"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("evalue", None),
        ("evalue", {"not": "text"}),
        ("execution_count", 1 << 63),
        ("execution_count", "3"),
        ("ended_at", math.nan),
        ("ended_at", math.inf),
        ("attempt", 1.5),
    ],
)
def test_what_another_machine_made_up_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        JOBS.encode(dataclasses.replace(make_job(), **{field: value}))


@pytest.mark.parametrize("state", JobState)
def test_every_state_survives(state: JobState) -> None:
    assert JOBS.decode(JOBS.encode(make_job(state=state))).state is state
