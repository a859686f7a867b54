"""Jobs and their events as a notebook's kernel stores them."""

from __future__ import annotations

import json
import time
from typing import Any

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Kind, Series
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.wire.record import decode_record, encode_record

SERIES = Series("s-one", 1, 0)


def save_session(
    store: EventStore, trust: Trust = Trust.OWN, name: str = "training", provider: str = "local",
    machine: str = "this machine",
) -> None:  # fmt: skip
    state = SessionState.READY
    store.save_session(SessionRow("s-one", name, provider, machine, "/work", 1, state, time.time(), trust))


def save_job(store: EventStore, id: str = "j-one", state: JobState = JobState.RUNNING, **fields: Any) -> None:
    store.save_job(JobRow(id, "s-one", state=state, **{"created_at": time.time(), "code": "train()", **fields}))


def put(store: EventStore, seq: int, kind: Kind, content: dict[str, Any], job: str = "j-one") -> None:
    body = json.dumps(content).encode()
    record = b"".join(encode_record(seq, kind, job, 1, time.time(), [b"{}", b"{}", b"{}", body]))
    assert store.put(decode_record(SERIES, record), record)


def print_text(store: EventStore, seq: int, text: str, job: str = "j-one", name: str = "stdout") -> None:
    put(store, seq, Kind.STREAM, {"name": name, "text": text}, job)


def end_job(store: EventStore, seq: int, job: str = "j-one") -> None:
    put(store, seq, Kind.STATE, {"state": "done", "reply": {"status": "ok", "execution_count": 3}}, job)
    save_job(store, job, JobState.DONE, ended_at=time.time(), execution_count=3)
