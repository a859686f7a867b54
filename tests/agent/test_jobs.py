"""When a job is over: after its reply and its idle, in whichever order they come."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.agent.doorbell import Ringer
from choline_jupyter.agent.journal import JournalReader, JournalWriter
from choline_jupyter.agent.kernel.jobs import Jobs
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.wire.record import RecordDecoder


class Rank:
    """The jobs of one rank, with what they write and ring."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.bell.bind(str(folder / "bell"))
        self.bell.setblocking(False)
        self.journal = JournalWriter(folder, 0)
        self.jobs = Jobs(self.journal, Ringer(folder / "byte", folder / "bell", "s-1/0"))

    def read(self) -> list[Event]:
        reader, decoder = JournalReader(self.folder, 0, 0), RecordDecoder(Series("s-1", 1, 0))
        events = [event for event, _ in decoder.feed(reader.read(1 << 20))]
        reader.close()
        return events

    def close(self) -> None:
        self.journal.close()
        self.bell.close()


@pytest.fixture
def rank() -> Iterator[Rank]:
    with tempfile.TemporaryDirectory(prefix="chj-") as name:
        made = Rank(Path(name))
        yield made
        made.close()


def parent(msg_id: str) -> bytes:
    return json.dumps({"msg_id": msg_id}).encode()


def reply(msg_id: str, status: str = "ok") -> list[bytes]:
    return [b"{}", parent(msg_id), b"{}", json.dumps({"status": status}).encode()]


def see(rank: Rank, *, is_reply: bool) -> None:
    if is_reply:
        rank.jobs.see_reply(reply("m-1", "error"))
    else:
        rank.jobs.see_idle(parent("m-1"))


@pytest.mark.parametrize("is_reply_first", [True, False])
def test_the_second_of_reply_and_idle_ends_the_job(rank: Rank, *, is_reply_first: bool) -> None:
    rank.jobs.add("m-1", "j-1", 2)
    assert rank.jobs.start("m-1")
    see(rank, is_reply=is_reply_first)
    assert rank.read() == []
    assert rank.jobs.running == "j-1"
    see(rank, is_reply=not is_reply_first)
    [event] = rank.read()
    assert (event.kind, event.job, event.attempt) == (Kind.STATE, "j-1", 2)
    assert event.read_content() == {"state": "done", "reply": {"status": "error"}}
    assert rank.bell.recv(100) == b"s-1/0 done j-1"
    assert rank.jobs.running == ""
    assert dict(rank.jobs.done) == {"j-1": "error"}


def test_messages_belong_to_the_job_of_their_request(rank: Rank) -> None:
    rank.jobs.add("m-1", "j-1", 1)
    rank.jobs.add("m-2", "j-2", 3)
    assert rank.jobs.find(parent("m-1")) == ("j-1", 1)
    assert rank.jobs.find(parent("m-2")) == ("j-2", 3)
    assert rank.jobs.find(parent("m-3")) == ("", 0)
    assert rank.jobs.find(b"{}") == ("", 0)


def test_an_idle_of_something_else_ends_nothing(rank: Rank) -> None:
    rank.jobs.add("m-1", "j-1", 1)
    assert not rank.jobs.see_idle(parent("m-2"))
    assert rank.jobs.see_idle(parent("m-1"))
    assert rank.read() == []


def test_cancelled_before_its_start_a_job_does_not_start(rank: Rank) -> None:
    rank.jobs.add("m-1", "j-1", 1)
    assert rank.jobs.cancel("j-1") is False
    assert rank.jobs.start("m-1") is False


def test_cancelled_while_it_runs_it_wants_a_signal(rank: Rank) -> None:
    rank.jobs.add("m-1", "j-1", 1)
    assert rank.jobs.start("m-1")
    assert rank.jobs.cancel("") is True


def test_a_job_that_is_over_cannot_be_cancelled(rank: Rank) -> None:
    rank.jobs.add("m-1", "j-1", 1)
    rank.jobs.start("m-1")
    rank.jobs.see_reply(reply("m-1"))
    rank.jobs.see_idle(parent("m-1"))
    assert rank.jobs.cancel("j-1") is False
    assert rank.jobs.cancel("") is False


def test_a_request_that_is_no_job_starts(rank: Rank) -> None:
    assert rank.jobs.start("m-9") is True


def test_old_jobs_are_forgotten(rank: Rank) -> None:
    for number in range(1100):
        rank.jobs.add(f"m-{number}", f"j-{number}", 1)
    assert rank.jobs.find(parent("m-0")) == ("", 0)
    assert rank.jobs.find(parent("m-1099")) == ("j-1099", 1)
