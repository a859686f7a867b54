"""What renting costs in time: asking everybody, a commit, a reconciliation, the meter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import ANYTHING, GIB, Offer, Price, Wish
from choline_jupyter.providers.provider import Sighting
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.ledger_report import render_job_cost
from choline_jupyter.session.rent.market import Plan, survey
from choline_jupyter.session.rent.reconciler import reconcile
from tests.benchmarks.report import Goal, Report, Row
from tests.benchmarks.samples import Samples, choose, interleave
from tests.fakes.memory_provider import MemoryProvider

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Money"
ROWS = 1000
PERIOD = 5.0  # seconds between two updates of a cell's meter


class Far(MemoryProvider):
    """Answers after so many seconds, with a hundred offers."""

    def __init__(self, seconds: float) -> None:
        super().__init__(offers=100)
        self._seconds = seconds

    async def list_offers(self, wish: Wish = ANYTHING) -> list[Offer]:
        await asyncio.sleep(self._seconds)
        return await super().list_offers(wish)


def test_offers_of_all_providers(report: Report) -> None:
    delays = (0.1, 0.2, 0.4, 0.3)

    async def ask(providers: list[Far]) -> Mapping[str, float]:
        start = time.perf_counter()
        assert len((await survey(providers, Wish("RTX 3090", 4), Plan())).offers) == 100 * len(providers)
        return {"time": time.perf_counter() - start}

    everybody, slowest = [Far(delay) for delay in delays], [Far(max(delays))]
    paths = {"all": lambda: asyncio.run(ask(everybody)), "slowest": lambda: asyncio.run(ask(slowest))}
    found = interleave(paths, rounds=choose(10, 2))
    what = "offers of 4 providers, ranked"
    report.add(SECTION, Row(what, found["all time"], found["slowest time"], "the slowest alone", Goal(1.1)))


def test_ledger_and_reconciliation(report: Report, tmp_path: Path) -> None:
    fleet, provider = Fleet(tmp_path), MemoryProvider()
    rows = [_make_row(fleet, number) for number in range(ROWS)]
    commits, rounds = Samples(), Samples()
    for row in rows:
        start = time.perf_counter()
        fleet.ledger.record_intent(row)
        commits.add(time.perf_counter() - start)
    sightings = [Sighting(row.handle, row.label, InstanceState.READY) for row in rows]
    provider.list_mine = lambda: _give(sightings)  # type: ignore[method-assign]
    asyncio.run(reconcile(fleet, provider))  # the first round has something to write
    for _ in range(choose(10, 2)):
        start = time.perf_counter()
        asyncio.run(reconcile(fleet, provider))
        rounds.add(time.perf_counter() - start)
    meter = Samples()
    for row in rows[: choose(200, 20)]:
        start = time.process_time()
        render_job_cost(fleet, row, 1.0)
        meter.add((time.process_time() - start) / PERIOD)
    fleet.close()
    report.add(
        SECTION,
        Row("a commit to the ledger", commits, goal=Goal(5)),
        Row(f"reconcile {ROWS} instances that run", rounds, goal=Goal(100)),
        Row("CPU of a cell's meter, per second", meter, goal=Goal(1)),
    )


async def _give(sightings: list[Sighting]) -> list[Sighting]:
    return sightings


def _make_row(fleet: Fleet, number: int) -> InstanceRow:
    offer = Offer("memory", str(number), "RTX 3090", 4, price=Price(1.2, 0.1))
    now = time.time()
    return InstanceRow(
        f"i{number}", "memory", fleet.make_label(), f"s{number}", offer.to_json(), f"h{number}", InstanceState.READY, now,
        budget=100.0, deadline_at=now + 86_400, disk=GIB, absences=0,
    )  # fmt: skip
