"""Frames: the same messages wherever the stream is cut; nonsense ends in WireError, never in anything else."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.wire.frame import MAX_FRAME, Frame, FrameDecoder, Type, encode_frame
from choline_jupyter.wire.record import WireError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
frames = st.builds(
    Frame, st.sampled_from(Type), st.dictionaries(st.text(max_size=8), values, max_size=4), st.binary(max_size=80)
)
HEAD = struct.Struct(">IBI")


def decode(chunks: list[bytes]) -> list[Frame]:
    decoder = FrameDecoder()
    return [frame for chunk in chunks for frame in decoder.feed(chunk)]


@settings(deadline=None)
@given(st.lists(frames, max_size=5), st.lists(st.integers(1, 60), max_size=30))
def test_cutting_the_stream_anywhere_gives_the_same_frames(sent: list[Frame], cuts: list[int]) -> None:
    data = b"".join(encode_frame(*frame) for frame in sent)
    chunks, start = [], 0
    for size in cuts:
        chunks.append(data[start : start + size])
        start += size
    assert decode([*chunks, data[start:]]) == sent


@given(st.lists(frames, min_size=1, max_size=3))
@settings(deadline=None)
def test_byte_by_byte_is_as_good(sent: list[Frame]) -> None:
    data = b"".join(encode_frame(*frame) for frame in sent)
    assert decode([data[place : place + 1] for place in range(len(data))]) == sent


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=8))
def test_random_bytes_are_refused_or_awaited(chunks: list[bytes]) -> None:
    try:
        decode(chunks)
    except WireError:
        pass


@settings(deadline=None)
@given(st.sampled_from(Type), st.binary(max_size=30), st.binary(max_size=10))
def test_a_header_of_any_bytes_is_a_frame_or_refused(type: Type, header: bytes, body: bytes) -> None:
    data = HEAD.pack(5 + len(header) + len(body), type, len(header)) + header + body
    try:
        assert [frame.body for frame in decode([data])] == [body]
    except WireError:
        pass


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEAD.pack(MAX_FRAME + 1, Type.PING, 2), "a frame of"),
        (HEAD.pack(4, Type.PING, 0), "a frame of"),
        (HEAD.pack(10, Type.PING, 6) + b"{}", "header of 6"),
        (HEAD.pack(7, 99, 2) + b"{}", "unknown type 99"),
        (HEAD.pack(7, Type.PING, 2) + b"[]", "not an object"),
        (HEAD.pack(7, Type.PING, 2) + b"{,", "not JSON"),
        (HEAD.pack(5 + 100_000, Type.PING, 100_000) + b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_frame_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        decode([data])


def test_frames_in_front_of_nonsense_are_delivered() -> None:
    decoder = FrameDecoder()
    came = decoder.feed(encode_frame(Type.PING, {"a": 1}) + HEAD.pack(3, 0, 0))
    assert next(came) == Frame(Type.PING, {"a": 1})
    with pytest.raises(WireError):
        next(came)


def test_a_frame_has_a_limit() -> None:
    body = bytes(MAX_FRAME - 7)
    assert decode([encode_frame(Type.EVENTS, {}, body)]) == [Frame(Type.EVENTS, {}, body)]
    with pytest.raises(WireError, match="the limit is"):
        encode_frame(Type.EVENTS, {}, body + b"x")
