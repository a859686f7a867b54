"""The same over ssh: a warm cell, output, connections and cold starts, near and at a round trip of 50 ms."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.home import Home
from tests.benchmarks.parallel_cluster import ParallelCluster
from tests.benchmarks.plain_kernel import PlainKernel
from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import Measure, Samples, choose, interleave
from tests.benchmarks.ssh_host import ExecPerCell, SSHHost, TunnelledKernel, open_driver
from tests.benchmarks.test_output import DISPLAY, LINES, PRINTS, SIZE
from tests.benchmarks.test_start import start_plain
from tests.benchmarks.test_warm_cell import measure
from tests.net.link import Link, require_link

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Over ssh"
PEER = "plain kernel"
ROUND_TRIP = 0.05  # seconds


@pytest.fixture(scope="module")
def link() -> Iterator[Link]:
    require_link()
    with Link() as made:
        made.change(delay=ROUND_TRIP / 2)
        yield made


@pytest.fixture(scope="module")
def far_host(link: Link) -> Iterator[SSHHost]:
    made = SSHHost(link)
    yield made
    made.close()


@pytest.fixture(scope="module")
def far(home: Home, far_host: SSHHost) -> Iterator[EngineDriver]:
    """The engine with a session at the far end of the link."""
    yield from open_driver(far_host)


def test_warm_cell(
    report: Report,
    near: EngineDriver,
    host: SSHHost,
    plain: PlainKernel,
    cluster: ParallelCluster,
    parallel_notebook: PlainKernel,
) -> None:
    tunnelled, per_cell = TunnelledKernel(host), ExecPerCell(host)
    paths = {
        "ssh": measure(near),
        "plain": measure(plain),
        "tunnel": measure(tunnelled),
        "px": measure(parallel_notebook, "%%px\n1+1"),
    }
    found = interleave(paths, rounds=choose(10, 3), repeats=20)
    found |= interleave({"ssh again": measure(near), "exec": measure(per_cell)}, rounds=choose(10, 3))
    tunnelled.close()
    per_cell.close()
    ours, end = found["ssh result"], found["ssh done"]
    report.add(
        SECTION,
        Row("warm `1+1`, engine alone, to the result", ours, found["plain result"], PEER, Goal(1.25)),
        Row("warm `1+1`, engine alone, to the end", end, found["plain done"], PEER),
        Row("warm `1+1`, engine alone, to the result", ours, found["tunnel result"], "`ssh -L` tunnelled kernel"),
        Row("warm `1+1`, engine alone, to the end", end, found["px done"], "ipyparallel `%%px` cell, no ssh"),
        Row(
            "warm `1+1`, engine alone, to the end", found["ssh again done"], found["exec done"], "`ssh host python3 -c`"
        ),
    )


def test_far_warm_cell(report: Report, near: EngineDriver, far: EngineDriver, link: Link) -> None:
    assert set(far.count_requests("1+1", times=20)) == {1}
    assert far.run("1+1").first >= ROUND_TRIP
    paths = {"far": measure(far), "near": measure(near), "trip": lambda: {"time": knock(link)}}
    found = interleave(paths, rounds=choose(10, 2), repeats=10)
    bound = Samples()
    for trip, local in zip(found["trip time"].values, found["near result"].values, strict=True):
        bound.add(1.1 * trip + local)
    what, peer = "warm `1+1` at 50 ms, engine alone, to the result", "1.1 TCP round trips + the same on the loopback"
    report.add(SECTION, Row(what, found["far result"], bound, peer, Goal(1.0)))
    report.add(SECTION, Row(what, found["far result"], found["trip time"], "one TCP round trip"))


def knock(link: Link) -> float:
    """Seconds of one round trip: a port that nobody listens at refuses at once."""
    start = time.perf_counter()
    with socket.socket() as probe:
        assert probe.connect_ex((link.address, 9))
    return time.perf_counter() - start


def test_output(report: Report, near: EngineDriver, plain: PlainKernel) -> None:
    def make(runner: EngineDriver | PlainKernel, code: str, amount: int) -> Measure:
        def run() -> Mapping[str, float]:
            timing = runner.run(code)
            near.bridge.engine.store.flush()  # what is stored behind the screen must not slow the next sample
            assert amount != LINES or timing.lines == LINES
            return {"rate": amount / timing.done}

        run()
        return run

    for what, code, amount, unit, rounds in (
        (f"{LINES:,} prints", PRINTS, LINES, Unit("k lines/s", 1e-3), choose(12, 2)),
        ("50 MB display", DISPLAY, SIZE, Unit("MB/s", 1e-6), choose(10, 2)),
    ):
        found = interleave({"ssh": make(near, code, amount), "plain": make(plain, code, amount)}, rounds)
        goal = Goal(0.6, is_least=True)
        report.add(SECTION, Row(f"{what}, engine alone", found["ssh rate"], found["plain rate"], PEER, goal, unit))


LOOPS = {
    f"{LINES:,} prints": f"for i in range({LINES}): print(i)",
    "5,000 flushed prints of 2 KB": "for i in range(5000): print('x' * 2000, flush=True)",
}
JOURNAL = """
import gc, pathlib, sys, time
from choline_jupyter.agent.journal import JournalWriter
[writer] = [one for one in gc.get_objects() if isinstance(one, JournalWriter)]
def spend():
    start = time.perf_counter()
    {loop}
    sys.stdout.flush()
    return time.perf_counter() - start
ring = writer._ring
{change}
seconds = spend()
vars(writer).pop('append', None)
writer._ring = ring
ring()
pathlib.Path({path!r}).write_text(str(seconds))
"""


CHANGES = {
    "kept": "",
    "untold": "writer._ring = lambda: None",  # so nothing is read and sent meanwhile
    "dropped": "writer.append = lambda *record: 1",
}


@pytest.mark.parametrize("what", LOOPS)
def test_journal(report: Report, near: EngineDriver, tmp_path: Path, what: str) -> None:
    """The loop that prints, timed over there, with the journal and with one that keeps nothing."""

    def make(change: str) -> Measure:
        path = tmp_path / "seconds"
        code = JOURNAL.format(loop=LOOPS[what], change=change, path=str(path))

        def run() -> Mapping[str, float]:
            near.run(code)
            near.bridge.engine.store.flush()
            return {"loop": float(path.read_text())}

        run()
        return run

    found = interleave({name: make(change) for name, change in CHANGES.items()}, rounds=choose(8, 3))
    peer, loop = "the journal keeps nothing", f"{what}, the loop over there"
    report.add(
        SECTION,
        Row(loop, found["kept loop"], found["dropped loop"], peer, Goal(1.05)),
        Row(f"{loop}, kept but not yet sent", found["untold loop"], found["dropped loop"], peer),
    )


def test_second_connection(report: Report, near: EngineDriver, host: SSHHost) -> None:
    def connect() -> Mapping[str, float]:
        with host.entered():
            start = time.perf_counter()
            driver = EngineDriver(host.place)
            driver.open("bench")
            driver.run("1+1")
            passed = time.perf_counter() - start
            driver.close()
        return {"time": passed}

    found = interleave({"second": connect, "hands": lambda: {"time": host.shake_hands()}}, rounds=choose(10, 2))
    what = "second connection to a host, to the result of `1+1`"
    report.add(SECTION, Row(what, found["second time"], goal=Goal(1000)))
    report.add(SECTION, Row(what, found["second time"], found["hands time"], "`ssh host true`"))


@pytest.mark.parametrize("bound", [1.0, 1.2], ids=["loopback", "50 ms"])
def test_cold(report: Report, home: Home, request: pytest.FixtureRequest, bound: float) -> None:
    """A host that has the agent on its disk and runs nothing of it; its own, because all of it is ended each time."""
    host = SSHHost(request.getfixturevalue("link") if bound > 1 else None)

    def start() -> Mapping[str, float]:
        host.clear()
        with host.entered():
            start = time.perf_counter()
            driver = EngineDriver(host.place)
            driver.open(f"cold {start}")
            driver.run("1+1")
            passed = time.perf_counter() - start
            driver.stop()
            driver.close()
        return {"time": passed}

    def sum_up() -> Mapping[str, float]:
        return {"time": host.shake_hands() + 1.2 * start_plain()["start"]}

    start()
    found = interleave({"cold": start, "sum": sum_up}, rounds=choose(8, 2))
    host.close()
    what = f"prepared host, nothing running{', at 50 ms' if bound > 1 else ''}: first result"
    peer = "`ssh host true` + 1.2 starts of a plain kernel"
    report.add(SECTION, Row(what, found["cold time"], found["sum time"], peer, Goal(bound)))
