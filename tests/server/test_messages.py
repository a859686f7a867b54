"""What fills a cell in: each message once, bounded pages, and a rented machine's outputs made harmless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Kind, Series
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.session import Trust
from choline_jupyter.server.messages import parse_cursor, read_page, render_cursor
from tests.server.samples import end_job, print_text, put, save_job

JOB = JobRow("j-one", "s-one")
NUMBERS = st.integers(0, 10**9 - 1)


@given(st.dictionaries(st.tuples(NUMBERS, st.integers(-1, 10**6 - 1)), st.integers(0, 10**18 - 1), max_size=5))
def test_a_place_is_read_back(ends: dict[tuple[int, int], int]) -> None:
    cursor = {Series("s-one", epoch, rank): seq for (epoch, rank), seq in ends.items()}
    assert parse_cursor(render_cursor(cursor), "s-one") == cursor


@given(st.text(max_size=40))
def test_any_other_text_is_refused_or_read(text: str) -> None:
    try:
        assert parse_cursor(render_cursor(parse_cursor(text, "s")), "s") == parse_cursor(text, "s")
    except ValueError:
        pass


def test_every_message_once_however_often_it_is_asked(store: EventStore) -> None:
    save_job(store)
    text = "x" * 100_000
    for seq in range(1, 31):
        print_text(store, seq, f"{seq} {text}\n")
    end_job(store, 31)
    store.flush()
    after, lines, pages = "", "", 0
    while True:
        page = read_page(store, JOB, Trust.OWN, after)
        lines += "".join(message["content"]["text"] for message in page["messages"])
        after, pages = page["after"], pages + 1
        if not page["more"]:
            break
    assert [int(line.split()[0]) for line in lines.splitlines()] == list(range(1, 31))
    assert pages > 1


def test_a_rented_machine_shows_nothing_that_runs(store: EventStore) -> None:
    evil = {"data": {"text/html": "<img src=x onerror=alert(1)>", "application/javascript": "alert(1)"}, "metadata": {}}
    put(store, 1, Kind.DISPLAY, evil)
    put(store, 2, Kind.RESULT, {**evil, "execution_count": 1})
    print_text(store, 3, "\x1b]0;title\x07plain")
    store.flush()
    shown = read_page(store, JOB, Trust.RENTED, "")["messages"]
    assert [message["type"] for message in shown] == ["display_data", "execute_result", "stream"]
    for message in shown[:2]:
        assert "application/javascript" not in message["content"]["data"]
        assert "sandbox" in message["content"]["data"]["text/html"]
    assert shown[2]["content"]["text"] == "plain"
    assert read_page(store, JOB, Trust.OWN, "")["messages"][0]["content"]["data"] == evil["data"]


@pytest.mark.parametrize("content", [{}, {"name": 3, "text": {"a": 1}}, {"text": None}])
def test_a_strange_stream_breaks_nothing(store: EventStore, content: dict[str, object]) -> None:
    put(store, 1, Kind.STREAM, content)
    put(store, 2, Kind.DISPLAY, {"data": 7})
    store.flush()
    for trust in Trust:
        for message in read_page(store, JOB, trust, "")["messages"]:
            if message["type"] == "stream":
                assert isinstance(message["content"]["text"], str)


def test_a_death_is_shown_as_an_error(store: EventStore) -> None:
    body = {"state": "died", "code": -9}
    put(store, 1, Kind.STATE, body)
    store.flush()
    # A rank cannot say that it died; the supervisor does.
    assert read_page(store, JOB, Trust.OWN, "")["messages"] == []
