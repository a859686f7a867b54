"""Records: the binary form of an event, the same in the journal, in a frame and in the event store.

Written by `agent.journal`, passed on untouched by the supervisor, decoded here on the client, so the checksum
made where the event happened is checked where it is used. Layout, big-endian:

    u32 length of what follows the checksum | u32 CRC-32 of it
    u64 seq | u8 kind | u16 attempt | f64 at | u8 job length | u16 parts | job | u32 length of each part | parts

The parts are header, parent, metadata, content, then the buffers.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Callable, Optional, Union

from choline_jupyter.model.event import Event, Kind, Series

PREFIX = struct.Struct(">II")
HEAD = struct.Struct(">QBHdBH")
MAX_RECORD = 1 << 30
_FIXED_PARTS = 4
_LARGE = 1 << 16  # a part that is not copied out of its record
_KINDS = {int(kind): kind for kind in Kind}

Buffer = Union[bytes, bytearray, memoryview]


class WireError(Exception):
    """The other side sent bytes that are not of this format."""


def encode_record(seq: int, kind: int, job: str, attempt: int, at: float, parts: Sequence[Buffer]) -> list[Buffer]:
    """The record as a list of buffers for one `writev`: large parts are never copied."""
    name = job.encode("ascii")
    lengths = [len(part) for part in parts]
    head = HEAD.pack(seq, kind, attempt, at, len(name), len(parts)) + name + struct.pack(">%dI" % len(parts), *lengths)
    crc = zlib.crc32(head)
    for part in parts:
        crc = zlib.crc32(part, crc)
    return [PREFIX.pack(len(head) + sum(lengths), crc) + head, *parts]


def read_seq(data: Buffer, offset: int) -> int:
    """The seq of the record whose prefix starts at `offset`."""
    return int(HEAD.unpack_from(data, offset + PREFIX.size)[0])


def read_kind(data: Buffer, offset: int) -> int:
    """The kind of the record whose prefix starts at `offset`."""
    return int(HEAD.unpack_from(data, offset + PREFIX.size)[1])


def measure_record(data: Buffer, offset: int) -> Optional[int]:
    """Total length of the record at `offset`, or None while its prefix is incomplete; raises WireError."""
    if len(data) - offset < PREFIX.size:
        return None
    length = PREFIX.unpack_from(data, offset)[0]
    if not HEAD.size <= length <= MAX_RECORD:
        raise WireError("a record of %d bytes" % length)
    return PREFIX.size + int(length)


def is_intact(data: Buffer, offset: int, size: int) -> bool:
    """Whether the checksum of the record at `offset`, of `size` bytes in all, holds."""
    crc = PREFIX.unpack_from(data, offset)[1]
    return zlib.crc32(memoryview(data)[offset + PREFIX.size : offset + size]) == int(crc)


def decode_record(series: Series, data: Buffer) -> Event:
    """One whole record as an event; raises WireError when it is damaged."""
    if not is_intact(data, 0, len(data)):
        raise WireError("a record's checksum does not hold")
    try:
        return _unpack(series, memoryview(data)[PREFIX.size :])
    except (struct.error, UnicodeDecodeError, KeyError) as error:
        raise WireError("a record that does not parse: %s" % error) from None


def _unpack(series: Series, view: memoryview) -> Event:
    seq, kind, attempt, at, name_length, count = HEAD.unpack_from(view, 0)
    position = HEAD.size + name_length
    job = bytes(view[HEAD.size : position]).decode("ascii")
    lengths = struct.unpack_from(">%dI" % count, view, position)
    position += 4 * count
    if count < _FIXED_PARTS or position + sum(lengths) != len(view):
        raise WireError("a record whose parts do not add up")
    parts = []
    for length in lengths:
        part = view[position : position + length]
        parts.append(part if length > _LARGE else bytes(part))
        position += length
    header, parent, metadata = (bytes(part) for part in parts[: _FIXED_PARTS - 1])
    content, *buffers = parts[_FIXED_PARTS - 1 :]
    return Event(series, seq, _KINDS[kind], job, attempt, at, header, parent, metadata, content, tuple(buffers))


Decode = Callable[[Series, Buffer], Event]


class RecordDecoder:
    """Turns the bytes of one series, cut anywhere, back into events. Owned by one connection, fed by its reader.

    A large record is handed out as what it was gathered in: it is in memory once.
    """

    def __init__(self, series: Series, decode: Decode = decode_record) -> None:
        self.series = series
        self._decode = decode
        self._gathered = bytearray()
        self._needed = 0

    @property
    def pending(self) -> int:
        """Bytes of the record that is not complete yet."""
        return len(self._gathered)

    def feed(self, chunk: Buffer) -> Iterator[tuple[Event, Buffer]]:
        """Each event that `chunk` completes, with its record; raises WireError."""
        self._gathered += chunk
        if len(self._gathered) < self._needed:
            return
        data, self._gathered = self._gathered, bytearray()
        offset = 0
        while True:
            size = measure_record(data, offset)
            if size is None or len(data) - offset < size:
                break
            record = data if _LARGE < size == len(data) else bytes(memoryview(data)[offset : offset + size])
            offset += size
            yield self._decode(self.series, record), record
        self._gathered += memoryview(data)[offset:]
        self._needed = size or PREFIX.size
