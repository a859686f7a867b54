"""Frames: messages on the one channel between a client and an agent.

    u32 length of what follows | u8 type | u32 length of the header | header (JSON object) | body (raw bytes)

Written and read by `session.connection` on the client, `agent.client` in the supervisor and `agent.kernel.bridge`
in a rank. A frame holds at most MAX_FRAME bytes; larger things (records) are cut over several frames.
"""

from __future__ import annotations

import enum
import json
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from choline_jupyter.wire.record import Buffer, WireError

PROTOCOL = 1
MAX_FRAME = 16 << 20
CHUNK = 1 << 20
_HEAD = struct.Struct(">IBI")


@enum.unique  # what two branches have called the same would be one thing
class Type(enum.IntEnum):
    """What a frame asks or tells; the number is part of the protocol and never re-used."""

    HELLO = 1  # client: protocol, client id, agent digest, python; agent: the same of its own
    REPLY = 2  # agent: the answer to the request with this `id`
    OPEN = 3  # client: make or find a session
    RUN = 4  # client: run code as a job
    INPUT = 5  # client: the answer to an input request
    COMM = 6  # client: a comm message for the kernel
    INTERRUPT = 7  # client: interrupt a job
    STOP = 8  # client: end a session
    STATUS = 9  # client: what is there
    FOLLOW = 10  # client: send me the events of a session after these
    EVENTS = 11  # agent: bytes of a series
    CREDIT = 12  # client: I consumed so many bytes of a series
    ACK = 13  # client: everything up to this seq is stored
    PING = 14
    PONG = 15
    HAVE = 16  # client: which of these blobs are not whole over there
    BLOB = 17  # client: a piece of a blob
    PROVIDE = 18  # client: what a session wanted, or how far that is
    PROBE = 19  # client: what has this machine
    FETCH = 20  # client: a piece of a blob; the reply's body has it
    DROP = 21  # client: a blob has arrived and is not needed over there
    LIMIT = 23  # client: how long this machine may live, and idle
    WANT = 22  # agent: files that a session's kernels wait for
    TUNNEL = 31  # client: connect this channel to a port of yours; both: bytes of that, none at its end
    PATCH = 30  # client: make a blob of another content of yours and of a delta


class Frame(NamedTuple):
    """One message: `header` is a JSON object, `body` raw bytes that belong to it."""

    type: Type
    header: dict[str, Any]
    body: bytes = b""


def encode_frame(type: Type, header: dict[str, Any], body: Buffer = b"") -> bytes:
    """The frame as bytes; raises WireError when it would pass MAX_FRAME."""
    text = json.dumps(header, separators=(",", ":")).encode()
    length = 5 + len(text) + len(body)
    if length > MAX_FRAME:
        raise WireError("a frame of %d bytes; the limit is %d" % (length, MAX_FRAME))
    return b"".join((_HEAD.pack(length, type, len(text)), text, body))


class FrameDecoder:
    """Turns a byte stream, cut anywhere, into frames. Owned by whoever reads the channel.

    What belongs to an incomplete frame is put together once, when its end has come.
    """

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._pending = self._needed = 0

    def feed(self, chunk: Buffer) -> Iterator[Frame]:
        """Each frame that `chunk` completes; raises WireError for what is not a frame."""
        self._chunks.append(bytes(chunk))
        self._pending += len(chunk)
        if self._pending < self._needed:
            return
        data, offset = b"".join(self._chunks), 0
        self._chunks.clear()  # a large one is held once
        while True:
            end = _find_end(data, offset)
            if len(data) < end:
                break
            yield _decode(data, offset, end)
            offset = end
        self._chunks, self._pending, self._needed = [data[offset:]], len(data) - offset, end - offset


def _find_end(data: bytes, offset: int) -> int:
    """Where the frame at `offset` ends, as far as can be told yet; raises WireError."""
    if len(data) - offset < _HEAD.size:
        return offset + _HEAD.size
    length, kind, header_length = _HEAD.unpack_from(data, offset)
    _check(length, kind, header_length)
    return offset + 4 + int(length)


def _check(length: int, kind: int, header_length: int) -> None:
    if not 5 <= length <= MAX_FRAME or header_length > length - 5:
        raise WireError("a frame of %d bytes with a header of %d" % (length, header_length))
    if kind not in Type._value2member_map_:
        raise WireError("a frame of unknown type %d" % kind)


def _decode(data: bytes, offset: int, end: int) -> Frame:
    _, kind, header_length = _HEAD.unpack_from(data, offset)
    start = offset + _HEAD.size
    try:
        header = json.loads(data[start : start + header_length])
    except (ValueError, RecursionError):  # the latter: brackets nested deeper than any header of ours
        raise WireError("a frame whose header is not JSON") from None
    if not isinstance(header, dict):
        raise WireError("a frame whose header is not an object")
    return Frame(Type(kind), header, data[start + header_length : end])
