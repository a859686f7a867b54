"""The journal of a rank with secrets: what is on the disk holds none of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from choline_jupyter.agent.journal import JournalReader
from choline_jupyter.agent.masked_journal import MaskedJournal
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.wire.record import RecordDecoder

VALUE = "hf_abcdefgh"


def append(journal: MaskedJournal, kind: Kind, content: dict[str, Any], job: str = "j-1") -> int:
    return journal.append(kind, [b"{}", b"{}", b"{}", json.dumps(content).encode()], job, 1)


def write(journal: MaskedJournal, text: str, name: str = "stdout", job: str = "j-1") -> int:
    return append(journal, Kind.STREAM, {"name": name, "text": text}, job)


def read(folder: Path) -> list[Event]:
    data = JournalReader(folder, 0, 0).read(1 << 20)
    return [event for event, _ in RecordDecoder(Series("s", 1, 0)).feed(data)]


def read_texts(folder: Path) -> list[str]:
    return [str(event.read_content()["text"]) for event in read(folder) if event.kind is Kind.STREAM]


def test_without_secrets_it_is_the_plain_journal(tmp_path: Path) -> None:
    journal = MaskedJournal(tmp_path, 0)
    assert write(journal, VALUE) == 1
    assert read_texts(tmp_path) == [VALUE]


def test_a_value_in_two_writes_never_reaches_the_disk(tmp_path: Path) -> None:
    journal = MaskedJournal(tmp_path, 0)
    journal.mask.add([VALUE])
    write(journal, "key hf_ab")
    write(journal, "noise hf_", "stderr")
    write(journal, "cdefgh\n")
    append(journal, Kind.STATE, {"state": "done"})
    assert read_texts(tmp_path) == ["key ", "noise ", "***\n", "hf_"]
    assert VALUE.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("*.seg"))


def test_what_is_held_back_stands_before_what_comes_then(tmp_path: Path) -> None:
    journal = MaskedJournal(tmp_path, 0)
    journal.mask.add([VALUE])
    assert write(journal, "hf_") > 0
    append(journal, Kind.DISPLAY, {"data": {"text/plain": f"<{VALUE}>"}, "metadata": {}})
    write(journal, "abcdefgh!")
    append(journal, Kind.STATE, {"state": "done", "reply": {"evalue": VALUE, "traceback": [f"E: {VALUE}"]}})
    told = [(event.kind, event.read_content()) for event in read(tmp_path)]
    assert told == [
        (Kind.STREAM, {"name": "stdout", "text": "hf_"}),
        (Kind.DISPLAY, {"data": {"text/plain": "<***>"}, "metadata": {}}),
        (Kind.STREAM, {"name": "stdout", "text": "***!"}),
        (Kind.STATE, {"state": "done", "reply": {"evalue": "***", "traceback": ["E: ***"]}}),
    ]


def test_the_end_of_one_job_is_not_the_end_of_another(tmp_path: Path) -> None:
    journal = MaskedJournal(tmp_path, 0)
    journal.mask.add([VALUE])
    write(journal, "hf_abc", job="j-1")
    append(journal, Kind.STATE, {"state": "done"}, "j-2")
    write(journal, "defgh", job="j-1")
    append(journal, Kind.STATE, {"state": "done"}, "j-1")
    assert read_texts(tmp_path) == ["***"]


def test_the_paths_of_files_stay_as_they_are(tmp_path: Path) -> None:
    journal = MaskedJournal(tmp_path, 0)
    journal.mask.add(["data"])
    append(journal, Kind.ARTIFACT, {"artifact": "files", "files": ["data/a.csv"]})
    append(journal, Kind.ARTIFACT, {"artifact": "value", "proxy": {"repr": "data"}})
    assert [event.read_content() for event in read(tmp_path)] == [
        {"artifact": "files", "files": ["data/a.csv"]},
        {"artifact": "value", "proxy": {"repr": "***"}},
    ]
