"""The journal: dense, ordered, cut off cleanly after a crash, and honest about a full disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.agent import journal
from choline_jupyter.agent.journal import JournalReader, JournalWriter, find_last_seq, list_ranks, list_segments
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.wire.record import RecordDecoder

RANK = 0
ROOM = 1 << 20


def make_parts(content: bytes) -> list[bytes]:
    return [b"{}", b"{}", b"{}", content]


def append_all(writer: JournalWriter, contents: Sequence[bytes], kind: Kind = Kind.STREAM) -> list[int]:
    return [writer.append(kind, make_parts(content), "j-1", 1) for content in contents]


def read_all(folder: Path, after: int = 0, limit: int = ROOM) -> list[Event]:
    reader, decoder = JournalReader(folder, RANK, after), RecordDecoder(Series("s-1", 1, RANK))
    try:
        return drain(reader, decoder, limit)
    finally:
        reader.close()


def drain(reader: JournalReader, decoder: RecordDecoder, limit: int = ROOM) -> list[Event]:
    events = []
    while data := reader.read(limit):
        assert len(data) <= limit
        events += [event for event, _ in decoder.feed(data)]
    assert decoder.pending == 0
    return events


def seqs_of(events: list[Event]) -> list[int]:
    return [event.seq for event in events]


@settings(deadline=None, max_examples=40)
@given(
    contents=st.lists(st.binary(max_size=300), max_size=20),
    segment=st.integers(50, 2000),
    limit=st.integers(100, 1000),
    after=st.integers(0, 20),
)
def test_what_is_appended_is_read_whatever_the_sizes(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], segment: int, limit: int, after: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "SEGMENT_SIZE", segment)
        writer = JournalWriter(folder, RANK)
        assert append_all(writer, contents) == list(range(1, len(contents) + 1))
        writer.close()
    came = read_all(folder, after, limit)
    assert [event.content for event in came] == contents[after:]
    assert seqs_of(came) == list(range(after + 1, len(contents) + 1))
    assert find_last_seq(folder, RANK) == len(contents)


def test_a_reader_sees_what_is_appended_later_over_a_change_of_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SEGMENT_SIZE", 100)
    rings: list[int] = []
    writer = JournalWriter(tmp_path, RANK, lambda: rings.append(1))
    reader, decoder = JournalReader(tmp_path, RANK, 0), RecordDecoder(Series("s-1", 1, RANK))
    came: list[Event] = []
    for number in range(20):
        append_all(writer, [b"%d" % number])
        came += drain(reader, decoder)
        assert seqs_of(came)[-1] == number + 1
    assert len(list_segments(tmp_path, RANK)) > 3
    assert len(rings) == 20
    reader.close()
    writer.close()


def test_ranks_keep_apart(tmp_path: Path) -> None:
    for rank in (-1, 0, 12):
        writer = JournalWriter(tmp_path, rank)
        append_all(writer, [b"%d" % rank] * 2)
        writer.close()
    assert list_ranks(tmp_path) == [-1, 0, 12]
    assert [event.content for event in read_all(tmp_path)] == [b"0", b"0"]


def test_after_a_cut_at_any_byte_the_next_writer_goes_on_behind_the_last_whole_record(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, RANK)
    append_all(writer, [b"first", b"second, longer", b"third"])
    writer.close()
    path = list_segments(tmp_path, RANK)[0].path
    whole = path.read_bytes()

    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        kept = _count_whole(whole[:size], path)
        writer = JournalWriter(tmp_path, RANK)
        assert writer.last_seq == kept
        assert append_all(writer, [b"after"]) == [kept + 1]
        writer.close()
        came = read_all(tmp_path)
        assert seqs_of(came) == list(range(1, kept + 2))
        assert came[-1].content == b"after"


def _count_whole(data: bytes, path: Path) -> int:
    return len(list(journal.scan_records(data)))


@settings(deadline=None, max_examples=30)
@given(place=st.integers(0, 300), bit=st.integers(0, 7))
def test_a_damaged_record_ends_the_series_there(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    folder = tmp_path_factory.mktemp("journal")
    writer = JournalWriter(folder, RANK)
    append_all(writer, [b"a" * 50, b"b" * 50, b"c" * 50])
    writer.close()
    path = list_segments(folder, RANK)[0].path
    data = bytearray(path.read_bytes())
    place %= len(data)
    data[place] ^= 1 << bit
    path.write_bytes(data)
    damaged = place // (len(data) // 3)
    writer = JournalWriter(folder, RANK)
    assert writer.last_seq == damaged
    assert append_all(writer, [b"new"]) == [damaged + 1]
    writer.close()
    assert [event.content for event in read_all(folder)][damaged:] == [b"new"]


def test_a_record_larger_than_a_read_comes_in_pieces(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, RANK)
    append_all(writer, [b"small", os.urandom(5000), b"behind"])
    writer.close()
    came = read_all(tmp_path, limit=700)
    assert [len(event.content) for event in came] == [5, 5000, 6]


def test_a_large_record_that_is_still_being_written_waits(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, RANK)
    append_all(writer, [os.urandom(5000)])
    writer.close()
    path = list_segments(tmp_path, RANK)[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    reader = JournalReader(tmp_path, RANK, 0)
    assert reader.read(700) == b""
    path.write_bytes(whole)
    assert len(drain(reader, RecordDecoder(Series("s-1", 1, RANK)), 700)) == 1
    reader.close()


def test_where_segments_were_deleted_the_next_record_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_SIZE", 100)
    writer = JournalWriter(tmp_path, RANK)
    append_all(writer, [b"x" * 60] * 9)
    writer.close()
    segments = list_segments(tmp_path, RANK)
    for segment in segments[:-1]:
        segment.path.unlink()
    assert seqs_of(read_all(tmp_path, after=2))[0] == segments[-1].first_seq


def test_text_is_told_from_the_rest(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path, RANK), JournalReader(tmp_path, RANK, 0)
    for kind, is_text in ((Kind.STREAM, True), (Kind.RESULT, False)):
        append_all(writer, [b"{}"], kind)
        assert reader.read(ROOM)
        assert reader.ends_in_text is is_text
    writer.close()
    reader.close()


class FullDisk:
    """Stands for `os.writev` on a disk with little room: takes `room` bytes, then fails until there is more."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._writev = os.writev

    def write(self, fd: int, views: Sequence[memoryview]) -> int:
        data = b"".join(views)[: self.room]
        if not data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)
        return self._writev(fd, [data])


def test_a_full_disk_is_told_by_a_last_record_and_later_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path, RANK)
    append_all(writer, [b"before"])
    disk = FullDisk(room=30)  # half of a record, and with the reserve given up enough for one more
    monkeypatch.setattr(os, "writev", disk.write)
    original = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        disk.room += journal.RESERVE if path.suffix == ".reserve" else 0
        original(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    assert append_all(writer, [b"does not fit"]) == [0]
    assert writer.is_full
    came = read_all(tmp_path)
    assert [event.kind for event in came] == [Kind.STREAM, Kind.GAP]
    assert came[-1].read_content()["reason"] == "disk"
    disk.room = 1 << 20
    assert append_all(writer, [b"later"]) == [3]
    assert not writer.is_full
    assert [event.content for event in read_all(tmp_path)][-1] == b"later"
    writer.close()


def test_while_the_disk_is_full_the_end_of_a_job_still_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter(tmp_path, RANK)
    monkeypatch.setattr(JournalWriter, "_hold_reserve", lambda self: None)  # no room for it: the disk stays full
    failing = [True]

    def writev(fd: int, views: Sequence[memoryview], write: object = os.writev) -> int:
        if failing.pop() if failing else False:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(fd, b"".join(views))

    monkeypatch.setattr(os, "writev", writev)
    assert append_all(writer, [b"text"]) == [0]
    assert append_all(writer, [b"more text"]) == [0]
    assert append_all(writer, [b"{}"], Kind.STATE) == [2]
    writer.close()
    assert [event.kind for event in read_all(tmp_path)] == [Kind.GAP, Kind.STATE]


def test_with_no_room_even_for_the_last_words_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path, RANK)
    append_all(writer, [b"before"])
    disk = FullDisk(room=10)
    monkeypatch.setattr(os, "writev", disk.write)
    assert append_all(writer, [b"does not fit"]) == [0]
    assert seqs_of(read_all(tmp_path)) == [1]
    disk.room = 1 << 20
    assert append_all(writer, [b"later"]) == [2]
    writer.close()
    assert [event.content for event in read_all(tmp_path)] == [b"before", b"later"]
