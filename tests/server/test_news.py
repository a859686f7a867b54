"""News: what is stored is told of, once, soon, and by whoever watches; idle servers are idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.job import JobState
from choline_jupyter.server.disk_watch import DiskWatch
from choline_jupyter.server.news import SCHEMA_ID, News
from choline_jupyter.server.record import Reading, Record
from tests.server.samples import end_job, print_text, save_job, save_session


class Told:
    """What was told, in order; `wait` returns when something has been told that satisfies a condition."""

    def __init__(self) -> None:
        self.news: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()

    def emit(self, data: dict[str, Any]) -> None:
        self.news.append(data)
        self._arrived.set()

    async def wait_for_job(self, job: str) -> None:
        await self.wait_for(lambda news: job in news["jobs"])

    async def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        while not any(map(condition, self.news)):
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 20)


@pytest.mark.parametrize("way", ["inotify", "stat"])
async def test_a_change_is_noticed(home: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "stat":
        monkeypatch.setattr("choline_jupyter.server.disk_watch._open_inotify", lambda folder: -1)
    home.mkdir()
    noticed = asyncio.Event()
    watch = DiskWatch(home, ["one"], noticed.set)
    watch.start()
    assert watch.is_told == (way == "inotify")
    (home / "other").write_text("x")
    (home / "one").write_text("x")
    await asyncio.wait_for(noticed.wait(), 20)
    noticed.clear()
    with (home / "one").open("a") as file:
        file.write("y")
    await asyncio.wait_for(noticed.wait(), 20)
    watch.close()


async def test_a_file_that_is_not_watched_is_no_news(home: Path) -> None:
    home.mkdir()
    calls: list[int] = []
    noticed = asyncio.Event()

    def note() -> None:
        calls.append(1)
        noticed.set()

    watch = DiskWatch(home, ["one"], note)
    watch.start()
    for _ in range(20):
        (home / "other").write_text("x")
    (home / "one").touch()
    await asyncio.wait_for(noticed.wait(), 20)
    assert len(calls) == 1
    watch.close()


async def test_two_servers_are_both_told(store: EventStore) -> None:
    """Whoever stores it: this store is a notebook's, the watchers are two servers on one machine."""
    told, all_news, readings = [Told(), Told()], [], [Reading("a"), Reading("b")]
    for one, reading in zip(told, readings, strict=True):
        news = News(Record(), reading, one.emit)
        await news.start()
        all_news.append(news)
    save_session(store)
    save_job(store)
    print_text(store, 1, "hello\n")
    store.flush()
    for one in told:
        await one.wait_for_job("j-one")
        assert any(news["sessions"] for news in one.news)
        one.news.clear()
    end_job(store, 2)
    store.flush()
    for one, news, reading in zip(told, all_news, readings, strict=True):
        await one.wait_for_job("j-one")
        news.close()
        reading.close()


async def test_a_row_that_ends_without_an_event_is_told(store: EventStore) -> None:
    told, reading = Told(), Reading("a")
    news = News(Record(), reading, told.emit)
    save_job(store)
    store.flush()
    await news.start()
    save_job(store, state=JobState.CANCELLED)
    store.flush()
    await told.wait_for_job("j-one")
    news.close()
    reading.close()


async def test_the_servers_own_event_stream_carries_it(jp_serverapp: ServerApp, store: EventStore) -> None:
    told = Told()

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        told.emit(data)

    assert jp_serverapp.event_logger
    jp_serverapp.event_logger.add_listener(schema_id=SCHEMA_ID, listener=listen)
    save_job(store)
    store.flush()
    deadline = time.monotonic() + 20
    number = 0
    while not told.news:
        # The server may not have begun to watch: what it is told of is what comes from then on.
        number += 1
        print_text(store, number, "x")
        store.flush()
        await asyncio.sleep(0.05)
        assert time.monotonic() < deadline
    assert told.news[0]["jobs"] == ["j-one"]
