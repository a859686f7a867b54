"""A host by ssh: warm cells, output, and what a connection and a journal cost."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import pytest

from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.home import Home
from tests.benchmarks.plain_kernel import PlainKernel
from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import Measure, Samples, choose, interleave
from tests.benchmarks.ssh_host import ProgramPerCell, TunnelledKernel, make_spec, measure_round_trip, start_server
from tests.benchmarks.test_output import DISPLAY, LINES, PRINTS, SIZE
from tests.benchmarks.test_warm_cell import measure
from tests.e2e.ssh.server import Server
from tests.net.link import Link, require_link

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Over ssh"
DELAY = 0.025
# In the rank: the same lines with the journal's writer and with one that throws them away, in turn.
JOURNAL = """
import gc, sys, time
from choline_jupyter.agent.journal import JournalWriter
[writer] = [thing for thing in gc.get_objects() if isinstance(thing, JournalWriter)]
def print_lines():
    start = time.perf_counter()
    for i in range(20_000): print(i)
    sys.stdout.flush()
    return time.perf_counter() - start
def measure():
    journalled = print_lines()
    writer.append = lambda *parts: 1
    try: return journalled, print_lines()
    finally: del writer.append
"""


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[Server]:
    made = start_server()
    os.environ["PATH"] = f"{made.client}:{os.environ['PATH']}"
    yield made
    made.close()


@pytest.fixture(scope="module")
def far(home: Home, server: Server) -> Iterator[EngineDriver]:
    """The engine with a session on the loopback host."""
    driver = EngineDriver()
    driver.open("far", make_spec(server, "far"))
    driver.run("1+1")
    yield driver
    driver.purge()
    driver.close()


def test_warm_cell(
    report: Report, far: EngineDriver, plain: PlainKernel, server: Server, parallel_notebook: PlainKernel
) -> None:
    tunnelled = TunnelledKernel(server)
    paths = {
        "far": measure(far),
        "plain": measure(plain),
        "tunnel": measure(tunnelled),
        "px": measure(parallel_notebook, "%%px\n1+1"),
    }
    found = interleave(paths, rounds=choose(15, 3), repeats=20)
    exec_found = interleave({"exec": _measure_program(server)}, rounds=choose(10, 2))
    tunnelled.close()
    what = "warm `1+1`, engine alone, to the result"
    report.add(
        SECTION,
        Row(what, found["far result"], found["plain result"], "plain local kernel", Goal(1.25)),
        Row(what, found["far result"], found["tunnel result"], "kernel behind `ssh -L`"),
        Row("warm `1+1`, engine alone, to the end", found["far done"], found["tunnel done"], "kernel behind `ssh -L`"),
        Row("warm `1+1`, engine alone, to the end", found["far done"], found["px done"], "ipyparallel `%%px` cell"),
        Row("warm `1+1`, engine alone, to the end", found["far done"], exec_found["exec done"], "`ssh host python -c`"),
    )


def _measure_program(server: Server) -> Measure:
    program = ProgramPerCell(server)
    return lambda: {"done": program.run("1+1").done}


def test_output(report: Report, far: EngineDriver, plain: PlainKernel) -> None:
    def lines(runner: EngineDriver | PlainKernel) -> Mapping[str, float]:
        timing = runner.run(PRINTS)
        assert timing.lines == LINES
        far.bridge.engine.store.flush()
        return {"lines": LINES / timing.done}

    def display(runner: EngineDriver | PlainKernel) -> Mapping[str, float]:
        rate = SIZE / runner.run(DISPLAY).done
        far.bridge.engine.store.flush()
        return {"display": rate}

    found = interleave({"far": lambda: lines(far), "plain": lambda: lines(plain)}, choose(8, 2))
    found |= interleave({"far": lambda: display(far), "plain": lambda: display(plain)}, choose(8, 2))
    report.add(
        SECTION,
        Row(f"{LINES:,} prints, engine alone", found["far lines"], found["plain lines"], "plain local kernel",
            Goal(0.6, is_least=True), Unit("k lines/s", 1e-3)),
        Row("50 MB display, engine alone", found["far display"], found["plain display"], "plain local kernel",
            Goal(0.6, is_least=True), Unit("MB/s", 1e-6)),
    )  # fmt: skip


def test_journal(report: Report, far: EngineDriver) -> None:
    far.run(JOURNAL)
    journalled, thrown = Samples(), Samples()
    for _ in range(choose(30, 5)):
        with_it, without = far.evaluate("measure()").strip("()").split(", ")
        journalled.add(float(with_it))
        thrown.add(float(without))
    row = Row("20,000 prints in the rank, with the journal", journalled, thrown, "without", Goal(1.05))
    report.add(SECTION, row)


def test_connections(report: Report, home: Home, server: Server, far: EngineDriver) -> None:
    """A second client of a host that has the agent: from nothing to its first result."""

    def connect() -> Mapping[str, float]:
        driver = EngineDriver()
        with driver.visit("second", make_spec(server, "second")) as start:
            found = driver.run("1+1").finished - start
        driver.close()
        return {"first": found}

    found = interleave({"second": connect}, choose(7, 2))
    report.add(SECTION, Row("second connection, to its first result", found["second first"], goal=Goal(1000)))


def test_round_trip(report: Report, far: EngineDriver, server: Server) -> None:
    require_link()
    with Link() as link:
        link.change(delay=DELAY)
        slow_server = start_server(link.address, link.namespace)
        slow = EngineDriver()
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{slow_server.client}:{path}"
        slow.open("slow", make_spec(slow_server, "slow"))
        slow.run("1+1")
        assert set(slow.count_requests("1+1", times=10)) == {1}
        paths = {
            "slow": measure(slow),
            "near": measure(far),
            "trip": lambda: {"one": measure_round_trip(slow_server)},
        }
        found = interleave(paths, rounds=choose(10, 2), repeats=5)
        bound = Samples()
        for trip, near in zip(found["trip one"].values, found["near result"].values, strict=True):
            bound.add(1.1 * trip + near)
        row = Row("warm `1+1` at 50 ms, engine alone, to the result", found["slow result"], bound,
                  "1.1 round trips + the cell on the loopback", Goal(1.0))  # fmt: skip
        report.add(SECTION, row)
        slow.purge()
        slow.close()
        slow_server.close()
        os.environ["PATH"] = path
