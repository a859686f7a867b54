"""What the front end asks for a cell's element, for places to run in, and for checkpoints."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.ledger.ledger import Ledger
from choline_jupyter.ledger.money import Period
from choline_jupyter.model.event import Kind, Series
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.job import JobState
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.server.element_state import measure_part
from choline_jupyter.wire.record import decode_record, encode_record
from tests.server.samples import print_text, put, save_job, save_session

Fetch = Callable[..., Awaitable[Any]]


async def ask(fetch: Fetch, *route: str) -> Any:
    return json.loads((await fetch("choline", "api", *route)).body)


def put_of_rank(store: EventStore, rank: int, seq: int, kind: Kind, content: Any) -> None:
    body = json.dumps(content).encode()
    record = b"".join(encode_record(seq, kind, "j-one", 1, time.time(), [b"{}", b"{}", b"{}", body]))
    assert store.put(decode_record(Series("s-one", 1, rank), record), record)


async def test_a_job_with_all_that_its_element_shows(jp_fetch: Fetch, store: EventStore) -> None:
    save_session(store)
    save_job(store)
    for rank in (0, 1):
        put_of_rank(store, rank, 1, Kind.STREAM, {"name": "stdout", "text": f"rank {rank} loss 2\nloss {rank}\n"})
        gpu = {"index": rank, "memory": 3e9, "total": 80e9, "busy": 0.5 + rank / 4, "power": "much", "made": "up"}
        put_of_rank(store, rank, 2, Kind.METRIC, {"telemetry": {"gpu": gpu}})
    store.flush()
    told = await ask(jp_fetch, "jobs", "j-one")
    assert (told["job"]["id"], told["provider"], told["machine"]) == ("j-one", "local", "this machine")
    assert told["cost"] is None
    assert told["ranks"] == [{"rank": rank, "tail": [f"rank {rank} loss 2", f"loss {rank}"]} for rank in (0, 1)]
    assert told["gpus"] == [
        {"rank": rank, "index": rank, "memory": 3e9, "total": 80e9, "busy": 0.5 + rank / 4} for rank in (0, 1)
    ]


async def test_what_a_stranger_says_of_its_gpu_is_checked(jp_fetch: Fetch, store: EventStore) -> None:
    save_session(store)
    save_job(store)
    facts: list[Any] = [{"telemetry": 7}, {"telemetry": {"gpu": [1]}}, {"telemetry": {"gpu": {"busy": True}}}, []]
    for seq, fact in enumerate([*facts, {"telemetry": {"gpu": {"busy": -1, "memory": float("inf")}}}], 1):
        put(store, seq, Kind.METRIC, fact)
    store.flush()
    assert (await ask(jp_fetch, "jobs", "j-one"))["gpus"] == []


async def test_one_rank_has_no_tabs(jp_fetch: Fetch, store: EventStore) -> None:
    save_session(store)
    save_job(store)
    print_text(store, 1, "alone\n")
    store.flush()
    assert (await ask(jp_fetch, "jobs", "j-one"))["ranks"] == []


async def test_a_job_on_a_rented_machine_has_its_cost(jp_fetch: Fetch, home: Path, store: EventStore) -> None:
    now = time.time()
    ledger = Ledger(home)
    ledger.record_intent(InstanceRow("i-one", "vast", "choline-x", "s-one", created_at=now - 7200, budget=5.0))
    ledger.update_instance("i-one", InstanceState.READY)
    ledger.money.note_rate("i-one", now - 7200, 1.5, 0.5)
    ledger.close()
    store.save_session(SessionRow("s-one", "a", "vast", "choline-x", "/work", 1, SessionState.READY, now, Trust.RENTED))
    save_job(store, state=JobState.DONE, started_at=now - 3600, ended_at=now - 1800)
    store.flush()
    cost = (await ask(jp_fetch, "jobs", "j-one"))["cost"]
    assert cost["job"] == pytest.approx(1.0)
    assert cost["machine"] == pytest.approx(4.0, rel=0.01)
    assert (cost["hourly"], cost["budget"]) == (2.0, 5.0)


def test_a_part_of_the_cost_counts_each_rate_while_it_held() -> None:
    periods = [Period(0, 3.6, 0), Period(100, 7.2, 0), Period(200, 0, 0.36)]
    assert measure_part(periods, 50, 150) == pytest.approx(0.05 + 0.1)
    assert measure_part(periods, 150, 300) == pytest.approx(0.1 + 0.01)
    assert measure_part(periods, 300, 250) == 0
    assert measure_part([], 0, 100) == 0


async def test_a_job_that_nobody_knows(jp_fetch: Fetch) -> None:
    for method, route in (("GET", ["jobs", "j-old"]), ("POST", ["jobs", "j-old", "pull"])):
        with pytest.raises(HTTPClientError) as refused:
            await jp_fetch("choline", "api", *route, method=method, allow_nonstandard_methods=True)
        assert refused.value.code == 404


async def test_places_are_hosts_of_the_past_and_of_the_configuration(
    jp_fetch: Fetch, store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    config = tmp_path / "config" / "choline" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[hosts.lab]\nhost = "me@lab"\n[hosts.big]\nhost = "me@big"\n')
    for number, host in enumerate(["me@old", "big", "me@new"]):
        row = SessionRow(f"s-{number}", "a", "ssh", host, "/", 1, SessionState.STOPPED, float(number), Trust.OWN)
        store.save_session(row)
    save_session(store)
    store.flush()
    told = await ask(jp_fetch, "places")
    assert told["hosts"] == ["me@new", "big", "me@old", "lab"]
    assert {"a100", "h100", "rtx4090"} & set(told["gpus"]) >= {"a100", "h100"}
    assert (told["providers"], told["notice"]) == ([], "")
    config.write_text("[hosts.lab]\n")
    told = await ask(jp_fetch, "places")
    assert told["hosts"] == ["me@new", "big", "me@old"]
    assert "hosts.lab" in told["notice"]


def keep_checkpoint(project: Path, job: str, step: int, **more: Any) -> None:
    folder = project / "checkpoints" / job
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"step-{step}.pt").write_bytes(b"x" * step)
    record = {"size": step, "sha256": "0" * 64, "step": step, "loss": 1 / step, "at": float(step), "job": job, **more}
    (folder / f"step-{step}.pt.json").write_text(json.dumps(record))


async def test_checkpoints_at_home_and_on_their_machine(jp_fetch: Fetch, jp_root_dir: Path, store: EventStore) -> None:
    notebook = str(jp_root_dir / "a.ipynb")
    row = SessionRow("s-one", notebook, "ssh", "me@big", str(jp_root_dir), 1, SessionState.READY, 1.0, Trust.OWN)
    store.save_session(row)
    save_job(store, notebook=notebook)
    keep_checkpoint(jp_root_dir, "j-one", 1)
    keep_checkpoint(jp_root_dir, "j-gone", 2, loss=float("nan"))
    digest = hashlib.sha256(b"").hexdigest()
    for step in (1, 3):
        fact = {"name": f"step-{step}.pt", "folder": "j-one", "files": [["", step, digest]], "step": step, "at": step}
        put(store, step, Kind.CHECKPOINT, fact)
    put(store, 4, Kind.CHECKPOINT, {"name": "../../etc/passwd", "folder": "j-one", "files": [["", 1, digest]]})
    store.flush()
    found = (await ask(jp_fetch, "checkpoints"))["checkpoints"]
    assert [(one["job"], one["step"], one["isHome"], one["isKnown"]) for one in found] == [
        ("j-one", 3, False, True),
        ("j-gone", 2, True, False),
        ("j-one", 1, True, True),
    ]
    assert [one["loss"] for one in found] == [None, None, 1.0]
    assert [one["notebook"] for one in found] == ["a.ipynb", "", "a.ipynb"]


async def test_what_has_written_nothing_has_nothing_to_pull(jp_fetch: Fetch, store: EventStore) -> None:
    save_session(store)
    save_job(store)
    store.flush()
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("choline", "api", "jobs", "j-one", "pull", method="POST", allow_nonstandard_methods=True)
    assert refused.value.code == 404
    assert refused.value.response is not None
    assert b"has written none" in refused.value.response.body or b"There is no file" in refused.value.response.body
