"""Deltas: a new version of a file as ranges of an old one and the bytes that are new.

Written by `session.bulk`, applied by `agent.assembly`. A delta is a file like any other on its way, named by its SHA-256;
what is made by it is verified by the new version's own.

    magic | u32 count | count x (u64 offset in the old version, or NEW; u64 size) | the new bytes in order
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from choline_jupyter.store.chunks import Table

NEW = (1 << 64) - 1
_MAGIC = b"choline delta 1\n"
_COUNT, _RANGE = struct.Struct(">I"), struct.Struct(">QQ")
HEAD, RANGE = len(_MAGIC) + _COUNT.size, _RANGE.size  # bytes


class Range(NamedTuple):
    """`size` bytes from `offset` of the old version on; or as many new ones where `offset` is NEW."""

    offset: int
    size: int


def compare(old: Table, new: Table) -> list[Range]:
    """The new version as ranges. Neighbours are joined; of equal chunks the one that goes on is preferred."""
    known = _list_marks(old)
    places = {mark: place for place, mark in reversed(list(enumerate(known)))}
    offsets = [offset for offset, _ in old.list_chunks()]
    ranges: list[Range] = []
    follows = -1  # the old chunk behind the last one that was found
    for mark, (_, size) in zip(_list_marks(new), new.list_chunks()):
        goes_on = 0 <= follows < len(known) and known[follows] == mark
        place = follows if goes_on else places.get(mark, -1)
        is_joined = bool(ranges) and (goes_on if place >= 0 else ranges[-1].offset == NEW)
        if is_joined:
            ranges[-1] = Range(ranges[-1].offset, ranges[-1].size + size)
        else:
            ranges.append(Range(offsets[place] if place >= 0 else NEW, size))
        follows = place + 1 if place >= 0 else -1
    return ranges


def write_head(ranges: list[Range]) -> bytes:
    """What stands before the new bytes."""
    return b"".join((_MAGIC, _COUNT.pack(len(ranges)), *(_RANGE.pack(*one) for one in ranges)))


def count_ranges(data: bytes) -> int:
    """How many ranges follow the first HEAD bytes of a delta; raises ValueError."""
    if len(data) != HEAD or not data.startswith(_MAGIC):
        raise ValueError("no delta")
    return int(_COUNT.unpack_from(data, len(_MAGIC))[0])


def read_ranges(data: bytes) -> Iterator[Range]:
    """The ranges behind the head; raises ValueError for what is not whole."""
    if len(data) % _RANGE.size:
        raise ValueError("no whole delta")
    return (Range(*one) for one in _RANGE.iter_unpack(data))


def measure(ranges: Iterable[Range]) -> tuple[int, int]:
    """How large the new version is, and how much of it is new."""
    total = fresh = 0
    for offset, size in ranges:
        total += size
        fresh += size if offset == NEW else 0
    return total, fresh


def _list_marks(table: Table) -> list[int]:
    """One number for each chunk, of all that is known of it."""
    sums = table.sums
    return [size << 64 | crc << 32 | middle for size, crc, middle in zip(sums[::3], sums[1::3], sums[2::3])]
