"""Records: what goes in comes out, wherever the bytes are cut; what is damaged is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.wire.record import (
    PREFIX,
    Buffer,
    RecordDecoder,
    WireError,
    decode_record,
    encode_record,
    is_intact,
    measure_record,
    read_kind,
    read_seq,
)

SERIES = Series("s-1", 1, 0)

parts = st.lists(st.binary(max_size=40), min_size=4, max_size=7)
jobs = st.text("abcdefghij-0123456789", max_size=30)
events = st.builds(
    lambda seq, kind, job, attempt, at, parts: Event(
        SERIES, seq, kind, job, attempt, at, parts[0], parts[1], parts[2], parts[3], tuple(parts[4:])
    ),
    st.integers(1, 2**64 - 1),
    st.sampled_from(Kind),
    jobs,
    st.integers(0, 2**16 - 1),
    st.floats(0, 2**40),
    parts,
)


def encode(event: Event) -> bytes:
    fields = [event.header, event.parent, event.metadata, event.content, *event.buffers]
    return b"".join(encode_record(event.seq, event.kind, event.job, event.attempt, event.at, fields))


@settings(deadline=None)
@given(events)
def test_an_event_survives_the_way_to_a_record_and_back(event: Event) -> None:
    data = encode(event)
    assert decode_record(SERIES, data) == event
    assert measure_record(data, 0) == len(data)
    assert (read_seq(data, 0), read_kind(data, 0)) == (event.seq, event.kind)


@settings(deadline=None)
@given(st.lists(events, max_size=5), st.lists(st.integers(1, 60), max_size=40))
def test_cutting_the_stream_anywhere_gives_the_same_events(sent: list[Event], cuts: list[int]) -> None:
    data = b"".join(map(encode, sent))
    decoder = RecordDecoder(SERIES)
    came: list[tuple[Event, Buffer]] = []
    for size in [*cuts, len(data)]:
        came += decoder.feed(data[:size])
        data = data[size:]
    assert [event for event, _ in came] == sent
    assert [record for _, record in came] == list(map(encode, sent))
    assert decoder.pending == 0


@settings(deadline=None)
@given(events, st.data())
def test_one_changed_bit_is_seen(event: Event, data: st.DataObject) -> None:
    record = bytearray(encode(event))
    place = data.draw(st.integers(PREFIX.size, len(record) - 1))
    record[place] ^= 1 << data.draw(st.integers(0, 7))
    assert not is_intact(record, 0, len(record))
    with pytest.raises(WireError):
        decode_record(SERIES, record)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=8))
def test_random_bytes_are_refused_or_awaited(chunks: list[bytes]) -> None:
    decoder = RecordDecoder(SERIES)
    try:
        for chunk in chunks:
            list(decoder.feed(chunk))
    except WireError:
        pass


@settings(deadline=None)
@given(events, st.integers(1, 100))
def test_what_is_incomplete_is_counted(event: Event, cut: int) -> None:
    data = encode(event)[:-1][:cut]
    decoder = RecordDecoder(SERIES)
    assert list(decoder.feed(data)) == []
    assert decoder.pending == len(data)


def test_an_unknown_kind_is_refused() -> None:
    data = b"".join(encode_record(1, 200, "", 0, 0.0, [b"{}"] * 4))
    with pytest.raises(WireError, match="does not parse"):
        decode_record(SERIES, data)


def test_too_few_parts_are_refused() -> None:
    data = b"".join(encode_record(1, Kind.STREAM, "", 0, 0.0, [b"{}"] * 3))
    with pytest.raises(WireError, match="do not add up"):
        decode_record(SERIES, data)


@pytest.mark.parametrize("length", [0, 1, (1 << 30) + 1])
def test_an_impossible_length_is_refused_at_once(length: int) -> None:
    with pytest.raises(WireError, match="a record of"):
        measure_record(PREFIX.pack(length, 0), 0)


def test_a_large_record_is_in_memory_once() -> None:
    event = Event(SERIES, 1, Kind.DISPLAY, "j-1", 0, 0.0, content=b"x" * 1_000_000)
    data = encode(event)
    decoder = RecordDecoder(SERIES)
    came = [pair for start in range(0, len(data), 70_000) for pair in decoder.feed(data[start : start + 70_000])]
    assert came == [(event, data)]
    content = came[0][0].content
    assert isinstance(content, memoryview)
    assert content.obj is came[0][1]
