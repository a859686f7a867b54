"""The journal: one append-only series of records per rank, on the disk of the machine where the job runs.

Written by the rank itself (`agent.kernel.hook`) and, for rank -1, by the supervisor; read by the supervisor for any
number of clients. Files: `r<rank>-<first seq, 16 digits>.seg`, each a run of records (`wire.record`) without a header:
the folder says which session and epoch they belong to.

Promises: a record is either whole or, after a crash in mid-write, cut off by the next writer; `seq` is dense and
never restarts; a full disk is told by one last record, written into space held back for it.
Flushing: a write returns when the bytes are in the page cache, so they survive the death of any process; the
supervisor calls `fdatasync` every few seconds, which is what a power cut can cost.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from choline_jupyter.model.event import Kind, Series
from choline_jupyter.wire.record import (
    Buffer,
    WireError,
    decode_record,
    encode_record,
    is_intact,
    measure_record,
    read_kind,
    read_seq,
)

SEGMENT_SIZE = 64 << 20
RESERVE = 64 << 10
_NAME = re.compile(r"r(-?\d+)-(\d{16})\.seg\Z")
_WRITEV_LIMIT = 512  # below IOV_MAX (1024) everywhere
_LAST_WORDS = (Kind.ERROR, Kind.STATE)  # small, and a client waits for them: they go into what the reserve left


class Segment(NamedTuple):
    """One file of a series; it ends where the next one begins."""

    first_seq: int
    path: Path


def list_segments(directory: Path, rank: int) -> list[Segment]:
    """The files of a series, oldest first."""
    found = []
    for name in os.listdir(directory):
        match = _NAME.match(name)
        if match and int(match.group(1)) == rank:
            found.append(Segment(int(match.group(2)), directory / name))
    return sorted(found)


def list_ranks(directory: Path) -> list[int]:
    """The ranks that have written into this folder."""
    matches = (_NAME.match(name) for name in os.listdir(directory))
    return sorted({int(match.group(1)) for match in matches if match})


def find_last_seq(directory: Path, rank: int) -> int:
    """The seq of the last whole record of a series; 0 when there is none."""
    segments = list_segments(directory, rank)
    if not segments:
        return 0
    data = segments[-1].path.read_bytes()
    return segments[-1].first_seq - 1 + sum(1 for _ in scan_records(data))


def find_ended_jobs(directory: Path, rank: int) -> set[str]:
    """The jobs whose end stands in the newest segment of a series."""
    segments = list_segments(directory, rank)
    data = segments[-1].path.read_bytes() if segments else b""
    states = [data[at : at + size] for at, size in scan_records(data) if read_kind(data, at) == Kind.STATE]
    return {_find_ended(state) for state in states} - {""}


class JournalWriter:
    """Appends the records of one rank. Any thread may call `append`; a lock orders them."""

    def __init__(self, directory: Path, rank: int, ring: Callable[[], None] = lambda: None) -> None:
        self.last_seq = 0
        self.is_full = False
        self._directory, self._rank, self._ring = directory, rank, ring
        self._lock = threading.Lock()
        self._reserve = directory / ("r%d.reserve" % rank)
        self._fd, self._size = self._recover()
        self._hold_reserve()

    def append(self, kind: Kind, parts: Sequence[Buffer], job: str = "", attempt: int = 0) -> int:
        """Write one record and return its seq; 0 when the disk is full and it was dropped."""
        with self._lock:
            if self.is_full and kind not in _LAST_WORDS and not self._try_again():
                return 0
            seq = self._write(kind, parts, job, attempt)
        self._ring()
        return seq

    def close(self) -> None:
        with self._lock:
            os.close(self._fd)

    def _write(self, kind: Kind, parts: Sequence[Buffer], job: str, attempt: int) -> int:
        if self._size >= SEGMENT_SIZE:
            self._rotate()
        buffers = encode_record(self.last_seq + 1, kind, job, attempt, time.time(), parts)
        try:
            self._size += _write_all(self._fd, buffers)
        except OSError as error:
            self._tell_full(error, job, attempt)
            return 0
        self.last_seq += 1
        return self.last_seq

    def _tell_full(self, error: OSError, job: str, attempt: int) -> None:
        """Undo the half-written record, then write the last one into the space held back for it."""
        os.ftruncate(self._fd, self._size)
        self._reserve.unlink(missing_ok=True)
        self.is_full = True
        content = b'{"reason": "disk", "message": "%s"}' % (error.strerror or "write failed").encode()
        gap = encode_record(self.last_seq + 1, Kind.GAP, job, attempt, time.time(), [b"{}", b"{}", b"{}", content])
        try:
            self._size += _write_all(self._fd, gap)
            self.last_seq += 1
        except OSError:
            os.ftruncate(self._fd, self._size)

    def _try_again(self) -> bool:
        """Whether there is room again: the reserve can be held back a second time."""
        self._hold_reserve()
        self.is_full = not self._reserve.exists()
        return not self.is_full

    def _hold_reserve(self) -> None:
        if self._reserve.exists():
            return
        try:
            with open(self._reserve, "wb") as file:
                file.write(b"\0" * RESERVE)
        except OSError:
            self._reserve.unlink(missing_ok=True)

    def _rotate(self) -> None:
        fd = _open_segment(self._directory, self._rank, self.last_seq + 1)
        os.close(self._fd)
        self._fd, self._size = fd, 0

    def _recover(self) -> tuple[int, int]:
        """Continue the newest segment behind its last whole record."""
        segments = list_segments(self._directory, self._rank)
        if not segments:
            return _open_segment(self._directory, self._rank, 1), 0
        first_seq, path = segments[-1]
        data = path.read_bytes()
        size, self.last_seq = 0, first_seq - 1
        for offset, length in scan_records(data):
            if not is_intact(data, offset, length):
                break
            size, self.last_seq = offset + length, read_seq(data, offset)
        os.truncate(path, size)
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), size


class JournalReader:
    """Reads the records of one rank from a seq on, while they are being written. Used by one pump of the supervisor."""

    def __init__(self, directory: Path, rank: int, after: int) -> None:
        self.next_seq = after + 1
        self.ends_in_text = False  # what was read last: more of it can be expected
        self._directory, self._rank = directory, rank
        self._fd = -1
        self._offset = 0
        self._left = 0  # of a record larger than what is read at once
        self._looked_for = 0

    def read(self, limit: int) -> bytes:
        """The next bytes, at most `limit`: whole records, or a piece of a larger one; empty when none is there.

        Where records were deleted, or a segment cannot be read to its end, the first one behind them comes next.
        """
        data = self._read_segment(limit)
        while not data and self._advance():
            data = self._read_segment(limit)
        return data

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _read_segment(self, limit: int) -> bytes:
        if self._fd < 0:
            return b""
        data = os.pread(self._fd, min(limit, self._left or limit), self._offset)
        if self._left:
            self._left -= len(data)
        else:
            data = data[: self._note_records(data) or self._begin_large(data)]
        self._offset += len(data)
        return data

    def _note_records(self, data: bytes) -> int:
        """The length of the whole records in `data`."""
        end = last = 0
        for last, length in scan_records(data):
            end = last + length
        if end:
            self.next_seq = read_seq(data, last) + 1
            self.ends_in_text = read_kind(data, last) == Kind.STREAM
        return end

    def _begin_large(self, data: bytes) -> int:
        """The length of the first piece of a record that `data` begins with, if the file has all of it; else 0."""
        size = _measure(data)
        if size is None or os.fstat(self._fd).st_size < self._offset + size:
            return 0
        self.next_seq = read_seq(data, 0) + 1
        self.ends_in_text = False
        self._left = size - len(data)
        return len(data)

    def _advance(self) -> bool:
        """Open the segment that holds the next seq, if the current one is done; False when there is none yet."""
        segments = list_segments(self._directory, self._rank)
        ahead = [segment for segment in segments if segment.first_seq > self.next_seq]
        here = segments[: len(segments) - len(ahead)] or ahead[:1]
        if not here:
            return False
        if self._fd < 0 or not _is_same_file(self._fd, here[-1].path):
            self._open(here[-1])
        elif not ahead:
            return False
        elif self._looked_for != self.next_seq:
            self._looked_for = self.next_seq  # it may have grown between the look into it and the list: look once more
        else:
            self._open(ahead[0])
        return True

    def _open(self, segment: Segment) -> None:
        self.close()
        self._fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        self.next_seq = max(self.next_seq, segment.first_seq)
        self._offset = _find_offset(self._fd, self.next_seq)


def scan_records(data: Buffer) -> Iterator[tuple[int, int]]:
    """(offset, length) of each whole record from the start of `data`; stops at the first cut or impossible one."""
    offset = 0
    while True:
        try:
            size = measure_record(data, offset)
        except WireError:
            return
        if size is None or offset + size > len(data):
            return
        yield offset, size
        offset += size


def _find_offset(fd: int, seq: int) -> int:
    """Where in this segment the record `seq`, or the first one behind it, begins."""
    offset = 0
    while True:
        head = os.pread(fd, 32, offset)
        size = _measure(head)
        if size is None or len(head) < 16 or read_seq(head, 0) >= seq:
            return offset
        offset += size


def _measure(data: bytes) -> Optional[int]:
    """The length of the record that `data` begins with; None for the piece of one, and for no record at all."""
    try:
        return measure_record(data, 0)
    except WireError:
        return None


def _find_ended(record: bytes) -> str:
    """The job that this record ends, empty for none."""
    try:
        event = decode_record(Series("", 0, 0), record)
        return event.job if event.read_content().get("state") == "done" else ""
    except (WireError, ValueError):
        return ""


def _is_same_file(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _open_segment(directory: Path, rank: int, first_seq: int) -> int:
    path = directory / ("r%d-%016d.seg" % (rank, first_seq))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _write_all(fd: int, buffers: Sequence[Buffer]) -> int:
    """Write every buffer; returns the bytes written, raises OSError with part of them written."""
    views = [memoryview(buffer) for buffer in buffers]
    total = sum(len(view) for view in views)
    left = total
    while left:
        written = os.writev(fd, views[:_WRITEV_LIMIT])
        left -= written
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]
    return total
