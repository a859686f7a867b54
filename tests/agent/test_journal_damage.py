"""What damage in the middle of a journal costs: the records from there to the end of the segment, and nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.agent import journal
from choline_jupyter.agent.journal import JournalReader, JournalWriter, find_ended_jobs, list_segments
from choline_jupyter.model.event import Kind, Series
from choline_jupyter.wire.record import RecordDecoder

RANK = 0
ROOM = 1 << 20


def write_series(folder: Path, count: int, segment: int) -> JournalWriter:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "SEGMENT_SIZE", segment)
        writer = JournalWriter(folder, RANK)
        for number in range(count):
            writer.append(Kind.STREAM, [b"{}", b"{}", b"{}", b"%d" % number], "j-1", 1)
    return writer


def read_seqs(reader: JournalReader) -> list[int]:
    decoder, seqs = RecordDecoder(Series("s-1", 1, RANK)), []
    while data := reader.read(ROOM):
        seqs += [event.seq for event, _ in decoder.feed(data)]
    return seqs


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Nine records in three segments."""
    write_series(tmp_path, 9, 150).close()
    assert [segment.first_seq for segment in list_segments(tmp_path, RANK)] == [1, 4, 7]
    return tmp_path


def damage(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place : place + 4] = b"\xff" * 4
    path.write_bytes(data)


def test_an_impossible_length_costs_the_rest_of_its_segment(series: Path) -> None:
    path = list_segments(series, RANK)[1].path
    damage(path, path.stat().st_size // 3)
    reader = JournalReader(series, RANK, 0)
    assert read_seqs(reader) == [1, 2, 3, 4, 7, 8, 9]
    reader.close()


def test_a_segment_cut_short_costs_what_was_cut(series: Path) -> None:
    path = list_segments(series, RANK)[0].path
    path.write_bytes(path.read_bytes()[:-3])
    reader = JournalReader(series, RANK, 0)
    assert read_seqs(reader) == [1, 2, 4, 5, 6, 7, 8, 9]
    reader.close()


@pytest.mark.parametrize("after", range(9))
def test_one_can_begin_behind_the_damage(series: Path, after: int) -> None:
    damage(list_segments(series, RANK)[0].path, 0)
    reader = JournalReader(series, RANK, after)
    assert read_seqs(reader) == [seq for seq in range(after + 1, 10) if seq > 3]
    reader.close()


def test_damage_in_the_newest_segment_is_awaited_until_there_is_a_newer_one(tmp_path: Path) -> None:
    writer = write_series(tmp_path, 3, 1 << 20)
    damage(list_segments(tmp_path, RANK)[0].path, 0)
    reader = JournalReader(tmp_path, RANK, 0)
    assert read_seqs(reader) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "SEGMENT_SIZE", 1)
        writer.append(Kind.STREAM, [b"{}", b"{}", b"{}", b"new"], "j-1", 1)
    assert read_seqs(reader) == [4]
    assert read_seqs(reader) == []
    reader.close()
    writer.close()


def test_an_empty_newest_segment_is_waited_for(series: Path) -> None:
    (series / "r0-0000000000000010.seg").touch()
    reader = JournalReader(series, RANK, 0)
    assert read_seqs(reader) == list(range(1, 10))
    assert read_seqs(reader) == []
    reader.close()


def test_where_nothing_is_left_of_what_was_asked_for_the_oldest_comes(series: Path) -> None:
    list_segments(series, RANK)[0].path.unlink()
    reader = JournalReader(series, RANK, 0)
    assert read_seqs(reader) == [4, 5, 6, 7, 8, 9]
    reader.close()


def test_ended_jobs_are_found(tmp_path: Path) -> None:
    assert find_ended_jobs(tmp_path, RANK) == set()
    writer = JournalWriter(tmp_path, RANK)
    done, answered = b'{"state": "done", "reply": {}}', b'{"state": "answered"}'
    for kind, job, content in (
        (Kind.STREAM, "j-one", done), (Kind.STATE, "j-two", done), (Kind.STATE, "", done), (Kind.ERROR, "j-three", done),
        (Kind.STATE, "j-four", answered), (Kind.STATE, "j-five", b"nonsense"),
    ):  # fmt: skip
        writer.append(kind, [b"{}", b"{}", b"{}", content], job)
    writer.close()
    assert find_ended_jobs(tmp_path, RANK) == {"j-two"}
