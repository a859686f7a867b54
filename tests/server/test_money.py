"""What the panel is told of money: true, from the ledger and the user's own limits, and never the cause of a change."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from tornado.httpclient import HTTPClientError

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.ledger.file_lock import FileLock
from choline_jupyter.ledger.ledger import FILE_NAME, Ledger
from choline_jupyter.model.instance import InstanceState
from choline_jupyter.server.handlers import SETTING
from choline_jupyter.server.news import News
from choline_jupyter.server.record import Reading, Record
from tests.server.rentals import HOURLY, configure_money, save_machine
from tests.server.samples import save_job, save_session
from tests.server.test_news import Told

Fetch = Callable[..., Awaitable[Any]]


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    """The ledger as a notebook's kernel has it open."""
    home.mkdir(exist_ok=True)
    made = Ledger(home)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


async def ask(fetch: Fetch, route: str = "money", **params: str) -> Any:
    return json.loads((await fetch("choline", "api", *route.split("/"), params=params)).body)


async def refuse(fetch: Fetch, route: str = "money", **params: str) -> tuple[int, str]:
    with pytest.raises(HTTPClientError) as refused:
        await ask(fetch, route, **params)
    assert refused.value.response is not None
    return refused.value.code, json.loads(refused.value.response.body)["message"]


async def test_without_a_ledger_nothing_was_spent_and_none_is_made(jp_fetch: Fetch, home: Path) -> None:
    money = await ask(jp_fetch)
    assert (money["is_used"], money["machines"], money["month"]["spent"]) == (False, [], 0)
    assert not (home / FILE_NAME).exists()


async def test_a_machine_has_its_price_its_cost_and_its_budget(jp_fetch: Fetch, ledger: Ledger) -> None:
    save_machine(ledger, hours=0.5)
    (machine,) = (await ask(jp_fetch))["machines"]
    assert (machine["gpus"], machine["provider"], machine["state"]) == ("4x A100 80GB", "runpod", "ready")
    assert machine["hourly"] == HOURLY
    assert machine["spent"] == pytest.approx(0.6, abs=0.01)
    assert machine["left"] == pytest.approx((5 - 0.6) / HOURLY * 3600, abs=60)


async def test_what_is_gone_costs_nothing_more_but_counts_in_the_month(jp_fetch: Fetch, ledger: Ledger) -> None:
    now = time.time()
    row = save_machine(ledger, hours=1 / 60, now=now)
    ledger.update_instance(row.id, InstanceState.GONE)
    ledger.money.note_rate(row.id, now, 0.0, 0.0)
    money = await ask(jp_fetch)
    assert money["machines"] == []
    assert sum(amount for _, amount in money["days"]) == pytest.approx(0.02, abs=1e-3)
    assert money["rates"]["s-one"] == [[row.created_at, HOURLY], [now, 0]]


async def test_limits_come_from_the_users_configuration(jp_fetch: Fetch, config: Path) -> None:
    configure_money(config, "[money]\nbudget = 5\nmonthly = 50\nauto_approve = 2\n")
    limits = (await ask(jp_fetch))["limits"]
    assert (limits["budget"], limits["monthly"], limits["auto_approve"]) == (5, 50, 2)
    assert limits["path"] == str(config / "choline" / "config.toml")
    configure_money(config, "[money]\nmonthly = 'much'\n")
    assert "`monthly` under [money] is not an amount" in (await ask(jp_fetch))["limits"]["problem"]


async def test_a_newer_ledger_costs_a_sentence_and_the_rest_is_shown(
    jp_fetch: Fetch, home: Path, ledger: Ledger, store: EventStore
) -> None:
    save_session(store)
    save_job(store)
    store.flush()
    ledger.close()
    with sqlite3.connect(home / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 1000")
    connection.close()
    code, message = await refuse(jp_fetch)
    assert (code, "belongs to a newer choline" in message) == (503, True)
    assert len((await ask(jp_fetch, "state"))["jobs"]) == 1


async def test_a_locked_ledger_costs_a_sentence_and_holds_up_nothing_else(
    jp_fetch: Fetch, home: Path, ledger: Ledger, store: EventStore
) -> None:
    save_job(store)
    store.flush()
    ledger.close()
    lock = FileLock(home / f"{FILE_NAME}.lock")
    assert lock.seize(5)
    waiting = jp_fetch("choline", "api", "money")
    assert len((await ask(jp_fetch, "state"))["jobs"]) == 1  # answered while the other waits
    with pytest.raises(HTTPClientError) as refused:
        await waiting
    assert refused.value.code == 503
    lock.close()
    assert (await ask(jp_fetch))["machines"] == []


async def test_a_damaged_ledger_is_set_aside_and_said(jp_fetch: Fetch, home: Path, ledger: Ledger) -> None:
    ledger.close()
    for path in home.glob(f"{FILE_NAME}*"):
        path.unlink()
    (home / FILE_NAME).write_bytes(b"no database, whatever it says" * 1000)
    money = await ask(jp_fetch)
    assert money["machines"] == []
    assert "was damaged" in money["notice"]


async def test_ten_thousand_machines_are_counted(jp_fetch: Fetch, ledger: Ledger) -> None:
    now = time.time()
    with ledger._database.transaction() as connection:
        for number in range(10_000):
            values = (f"i-{number}", f"l-{number}", now - number, now - number)
            connection.execute(
                "INSERT INTO instance (id, provider, label, session, offer, handle, state, created_at, ended_at)"
                " VALUES (?, 'vast', ?, 's', '{}', '', 'gone', ?, ?)", values,
            )  # fmt: skip
            connection.executemany("INSERT INTO period VALUES (?, ?, ?, 0)",
                                   [(values[0], now - number - 3600, 1.0), (values[0], now - number, 0.0)])  # fmt: skip
    money = await ask(jp_fetch)
    assert sum(amount for _, amount in money["days"]) == pytest.approx(10_000, rel=1e-3)


async def test_two_servers_are_both_told_of_money_and_looking_is_no_news(home: Path, ledger: Ledger) -> None:
    told, all_news, readings = [Told(), Told()], [], [Reading("a"), Reading("b")]
    records = [Record(), Record()]
    for one, reading, record in zip(told, readings, records, strict=True):
        assert record.fleet.list_open() == []
        news = News(record, reading, one.emit)
        await news.start()
        all_news.append(news)
    row = save_machine(ledger)
    for one in told:
        await one.wait_for(lambda news: bool(news.get("money")))
    for record in records:
        assert [machine.id for machine in record.fleet.list_open()] == [row.id]
    for one in told:
        one.news.clear()
    for record in records:
        record.fleet.list_open()
    ledger.update_instance(row.id, InstanceState.IDLE)
    for one, news, reading, record in zip(told, all_news, readings, records, strict=True):
        await one.wait_for(lambda news: bool(news.get("money")))
        news.close()
        reading.close()
        record.close()


async def test_a_session_whose_machine_cannot_be_reached_says_so(
    jp_fetch: Fetch, ledger: Ledger, store: EventStore
) -> None:
    """Its provider is not even configured; the panel shows it with what it costs all the same."""
    save_session(store, provider="runpod", machine="choline-1")
    store.flush()
    save_machine(ledger, state=InstanceState.GONE)
    assert (await ask(jp_fetch, "sessions"))["sessions"] == [{"id": "s-one", "life": "unreachable"}]


async def test_the_ledger_is_read_again_when_it_is_let_go(
    jp_fetch: Fetch, jp_serverapp: ServerApp, ledger: Ledger
) -> None:
    save_machine(ledger)
    await ask(jp_fetch)
    jp_serverapp.web_app.settings[SETTING].record.close()
    assert len((await ask(jp_fetch))["machines"]) == 1
