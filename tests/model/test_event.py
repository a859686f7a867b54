"""Events: what they say about themselves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.model.event import Event, Kind, Series, read_object

SERIES = Series("s-1", 1, 0)


def test_an_event_reads_its_own_json() -> None:
    event = Event(
        SERIES, 1, Kind.STREAM, "j-1", 1, 0.0,
        header=b'{"msg_type": "stream"}', parent=b'{"msg_id": "m-1"}', content=b'{"text": "hi"}',
    )  # fmt: skip
    assert event.find_type() == "stream"
    assert event.read_parent_id() == "m-1"
    assert event.read_content() == {"text": "hi"}


def test_an_event_may_be_no_message_and_answer_no_request() -> None:
    event = Event(SERIES, 1, Kind.STATE, "", 0, 0.0)
    assert event.find_type() == ""
    assert event.read_parent_id() is None
    assert event.read_content() == {}


@settings(deadline=None)
@given(st.binary(max_size=20) | st.integers().map(lambda value: json.dumps(value).encode()))
def test_anything_but_an_object_is_a_value_error(data: bytes) -> None:
    try:
        assert isinstance(read_object(data), dict)
    except ValueError:
        pass


@pytest.mark.parametrize("data", [b"[]", b"1", b"null", b"", b"\xff", b'"x"', b'{"a":' * 100_000])
def test_these_are_no_objects(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_object(data)


def test_kinds_keep_their_numbers() -> None:
    first, second = (
        "STREAM DISPLAY UPDATE CLEAR RESULT ERROR INPUT",
        "COMM PROGRESS METRIC CHECKPOINT ARTIFACT STATE GAP",
    )
    assert {kind.name: kind.value for kind in Kind} == {
        name: number for number, name in enumerate(f"{first} {second}".split(), 1)
    }
