"""From nothing to the first result: a new session on a machine in use, and the very first one."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.home import Home
from tests.benchmarks.plain_kernel import PlainKernel
from tests.benchmarks.report import Goal, Report, Row
from tests.benchmarks.samples import choose, interleave

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Start, to the first result"


def start_plain() -> Mapping[str, float]:
    start = time.perf_counter()
    kernel = PlainKernel()
    first = kernel.run("1+1").first
    passed = time.perf_counter() - start
    kernel.close()
    return {"start": passed, "cell": first}


def start_first() -> Mapping[str, float]:
    """A home that nothing has ever run in; what is started here is gone before the next sample."""
    home = Home()
    with home.entered():
        start = time.perf_counter()
        driver = EngineDriver()
        driver.open("first")
        driver.run("1+1")
        passed = time.perf_counter() - start
        driver.stop()
        driver.close()
    home.close()
    return {"start": passed}


def start_first_cell() -> Mapping[str, float]:
    """The same from a notebook whose kernel is up: with choline's own imports."""
    home = Home()
    kernel = PlainKernel(home.environment)
    kernel.evaluate("%load_ext choline_jupyter")
    passed = kernel.run("%%choline\n1+1").first
    kernel.close()
    home.close()
    return {"start": passed}


def test_new_session(report: Report, engine: EngineDriver) -> None:
    def start_new() -> Mapping[str, float]:
        with engine.visit(f"new {time.monotonic()}") as start:
            engine.run("1+1")
            return {"start": time.perf_counter() - start}

    found = interleave({"new": start_new, "plain": start_plain}, rounds=choose(10, 2))
    new, plain = found["new start"], found["plain start"]
    report.add(SECTION, Row("new session, torch imported", new, goal=Goal(150)))
    report.add(SECTION, Row("new session, torch imported", new, plain, "start of a plain kernel"))


def test_first_ever(report: Report) -> None:
    paths = {"first": start_first, "plain": start_plain, "cell": start_first_cell}
    found = interleave(paths, rounds=choose(7, 2))
    plain = found["plain start"]
    peer = "start of a plain kernel"
    report.add(SECTION, Row("first session ever, engine alone", found["first start"], plain, peer, Goal(1.2)))
    report.add(SECTION, Row("first `%%choline` cell ever", found["cell start"], plain, peer, Goal(1.2)))
