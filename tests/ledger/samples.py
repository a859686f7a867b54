"""Events, rows and small programs that the tests of the ledger share."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.model.instance import InstanceRow
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.wire.record import decode_record, encode_record
from tests.source_tree import ROOT

SERIES = Series("s-one", 1, 0)


def make_record(seq: int, job: str = "j-one", content: bytes = b'{"text": "line"}') -> bytes:
    return b"".join(encode_record(seq, Kind.STREAM, job, 1, 1700000000.5, [b"{}", b"{}", b"{}", content]))


def put(store: EventStore, seq: int, series: Series = SERIES, job: str = "j-one", content: bytes = b"{}") -> bool:
    record = make_record(seq, job, content)
    return store.put(decode_record(series, record), record)


def put_all(store: EventStore, seqs: range, series: Series = SERIES, job: str = "j-one", size: int = 100) -> None:
    for seq in seqs:
        assert put(store, seq, series, job, b"%06d" % seq + b"x" * size)
    assert store.flush()


def seqs_of(events: list[Event]) -> list[int]:
    return [event.seq for event in events]


def make_session(id: str = "s-one", name: str = "training", epoch: int = 1, created_at: float = 1.0) -> SessionRow:
    state, trust = SessionState.READY, Trust.OWN
    return SessionRow(id, name, "local", "local", "/home/me/project", epoch, state, created_at, trust)


def make_job(
    id: str = "j-one", state: JobState = JobState.RUNNING, created_at: float = 1.0, attempt: int = 1
) -> JobRow:
    return JobRow(id, "s-one", state=state, created_at=created_at, attempt=attempt, notebook="/home/me/a.ipynb")


def make_instance(id: str = "i-one") -> InstanceRow:
    return InstanceRow(id, "local", f"choline-{id}", "s-one", '{"gpus": 0}', created_at=time.time())


def start_program(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Python running `code`, our own modules importable, its output to be read."""
    program = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def read_line(program: subprocess.Popen[str]) -> str:
    assert program.stdout
    return program.stdout.readline()


def kill_and_read(program: subprocess.Popen[str], lines: int) -> list[str]:
    """Wait for so many lines, then `kill -9`: all whole lines that it wrote."""
    assert program.stdout
    told = [program.stdout.readline() for _ in range(lines)]
    program.kill()
    told += program.stdout.readlines()
    end_program(program)
    return [line for line in told if line.endswith("\n")]


def end_program(program: subprocess.Popen[str]) -> None:
    program.kill()
    program.communicate()
