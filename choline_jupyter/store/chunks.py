"""Chunks: a large file cut where its content says so, so that an edit or insertion changes the chunks around it and no others.

Made by `store.scan` while it hashes a file; `store.delta` compares two tables. A chunk ends behind a separator: a few
certain bytes and one of certain others, chosen from a sample of the file so that separators are about as far apart as chunks
are to be large. A regular expression finds that at 3-4 GB/s, where a rolling hash in Python would take minutes. A table
only says what is probably the same: whatever is made by it is verified by its SHA-256.
"""

from __future__ import annotations

import re
import struct
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

CHUNKED = 8 << 20  # bytes; smaller files are sent whole
_SMALLEST = 16 << 10  # bytes of a chunk, on average
_MOST = 1 << 17  # chunks of a file when it is cut for the first time
_SAMPLES = 16
_SAMPLED = 128 << 10, 1 << 20  # bytes that are looked at
_LONGEST_SEPARATOR = 8  # bytes
_TRIED = 8  # beginnings of a separator that are tried at a time
_MAGIC = b"choline chunks 1\n"
_HEAD = struct.Struct("<QIBH")


class Cutting(NamedTuple):
    """Where a file is cut: behind `before` with one of `behind` after it; `average` bytes are aimed at."""

    average: int
    before: bytes = b""
    behind: bytes = b""

    @property
    def shortest(self) -> int:
        return self.average // 2

    @property
    def longest(self) -> int:
        return self.average * 4

    def compile(self) -> re.Pattern[bytes]:
        """What finds a separator; nothing where the file has none that would do."""
        if not self.behind:
            return re.compile(rb"(?!)")
        one_of = b"".join(re.escape(bytes([byte])) for byte in self.behind)
        return re.compile(re.escape(self.before) + b"[" + one_of + b"]", re.DOTALL)


class Table(NamedTuple):
    """The chunks of one version of a file: of each its size, its CRC and four bytes from its middle, one after the other."""

    cutting: Cutting
    size: int
    sums: array[int]

    def list_chunks(self) -> Iterator[tuple[int, int]]:
        """Each chunk's offset and size."""
        offset = 0
        for size in self.sums[::3]:
            yield offset, size
            offset += size

    def encode(self) -> bytes:
        """As it is kept."""
        cutting = self.cutting
        head = _HEAD.pack(self.size, cutting.average, len(cutting.before), len(cutting.behind))
        return b"".join((_MAGIC, head, cutting.before, cutting.behind, self.sums.tobytes()))


def decode_table(data: bytes) -> Table:
    """The table that `encode` has written; raises ValueError for anything else."""
    start = len(_MAGIC) + _HEAD.size
    if not data.startswith(_MAGIC) or len(data) < start:
        raise ValueError("no table of chunks")
    size, average, before, behind = _HEAD.unpack_from(data, len(_MAGIC))
    middle, end = start + before, start + before + behind
    sums = array("I")
    if (len(data) - end) % (3 * sums.itemsize) or average < 2:
        raise ValueError("no whole table of chunks")
    sums.frombytes(data[end:])
    if sum(sums[::3]) != size:
        raise ValueError("a table of another file")
    return Table(Cutting(average, data[start:middle], data[middle:end]), size, sums)


def choose_cutting(size: int, samples: Sequence[bytes]) -> Cutting:
    """Where a file of this size, with bytes like these, is cut: by what is in all samples, if there is such."""
    average = max(_SMALLEST, size // _MOST)
    wanted = max(8, 2 * sum(map(len, samples)) // average)  # a chunk's first half is passed over
    pairs = Counter(pair for sample in samples for pair in zip(sample, sample[1:]))
    follow: dict[bytes, Counter[int]] = {}
    for (first, second), often in pairs.items():
        follow.setdefault(bytes([first]), Counter())[second] = often
    best = (len(samples), Cutting(average))
    for _ in range(_LONGEST_SEPARATOR):
        choices = sorted((*_choose(behind, wanted), before) for before, behind in follow.items())
        for off, behind, before in choices[:_TRIED]:
            cutting = Cutting(average, before, behind)
            if off <= wanted // 2:
                best = min(best, (_count_without(cutting, samples), cutting), key=lambda choice: choice[0])
        if best[0] == 0:
            break
        follow = _extend(follow, wanted, samples)
    return best[1]


def list_samples(size: int) -> list[tuple[int, int]]:
    """Offsets and sizes of what `choose_cutting` wants to see of a file."""
    sample = min(max(size // 64, _SAMPLED[0]), _SAMPLED[1]) // _SAMPLES
    step = max(1, (size - sample) // (_SAMPLES - 1))
    return [(place * step, sample) for place in range(_SAMPLES)] if size > 2 * _SAMPLES * sample else [(0, size)]


class Cutter:
    """Cuts a file that is fed piece by piece; keeps no more of it than a chunk."""

    def __init__(self, cutting: Cutting) -> None:
        self._cutting, self._pattern = cutting, cutting.compile()
        self._rest = b""
        self._size = 0
        self._sums = array("I")

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        self._size += len(piece)
        longest = self._cutting.longest
        known, start = len(self._rest), 0
        if known and len(piece) < longest:
            piece = self._rest + piece
        elif known:  # chunks that begin in what came before
            start = self._cut(self._rest + piece[:longest], 0, known - 1) - known
        self._rest = piece[self._cut(piece, start, len(piece) - longest) :]

    def finish(self) -> Table:
        """The file's end."""
        self._cut(self._rest, 0, len(self._rest) - 1)
        self._rest = b""
        return Table(self._cutting, self._size, self._sums)

    def _cut(self, data: bytes, start: int, last: int) -> int:
        """Note the chunks that begin at `start` and up to `last`; gives where the next begins."""
        view, note = memoryview(data), self._sums.extend
        shortest, longest = self._cutting.shortest, self._cutting.longest
        search = self._pattern.search
        size = len(data)
        while start <= last:
            found = search(data, start + shortest, start + longest)
            end = found.end() if found else min(start + longest, size)
            middle = (start + end) // 2
            note(
                (
                    end - start,
                    zlib.crc32(view[start:end]),
                    int.from_bytes(view[middle : min(middle + 4, end)], "little"),
                )
            )
            start = end
        return start


def _choose(behind: Counter[int], wanted: int) -> tuple[int, bytes]:
    """Of the bytes that follow, the rarest, until they are as many as is wanted; and by how much they are not."""
    chosen, count = bytearray(), 0
    for often, byte in sorted((often, byte) for byte, often in behind.items()):
        if count >= wanted or count + often > 2 * wanted:
            break
        chosen.append(byte)
        count += often
    return abs(wanted - count), bytes(chosen)


def _count_without(cutting: Cutting, samples: Sequence[bytes]) -> int:
    """The samples in which no chunk would end."""
    pattern = cutting.compile()
    return sum(not pattern.search(sample) for sample in samples)


def _extend(follow: Mapping[bytes, Counter[int]], wanted: int, samples: Sequence[bytes]) -> dict[bytes, Counter[int]]:
    """Longer beginnings, where all were too usual: the rarest of those that are, and what follows each."""
    most = sum(map(len, samples)) // 16  # what is everywhere is no separator however long it is
    usual = sorted(
        (often, before + bytes([byte]))
        for before, behind in follow.items()
        for byte, often in behind.items()
        if wanted < often <= most
    )
    found: dict[bytes, Counter[int]] = {}
    for _, before in usual[:_TRIED]:
        pattern = re.compile(b"(?=" + re.escape(before) + b"(.))", re.DOTALL)
        found[before] = Counter(match.group(1)[0] for sample in samples for match in pattern.finditer(sample))
    return found
