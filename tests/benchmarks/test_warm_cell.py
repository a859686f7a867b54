"""A warm `1+1`: how long until its result is there, and until the cell has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.parallel_cluster import ParallelCluster
from tests.benchmarks.plain_kernel import PlainKernel, RawClient
from tests.benchmarks.report import Goal, Report, Row
from tests.benchmarks.samples import Measure, choose, interleave
from tests.benchmarks.timing import Timing

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Warm cell `1+1`"
WARM_UP = 20


class Runner(Protocol):
    def run(self, code: str) -> Timing: ...


def measure(runner: Runner, code: str = "1+1") -> Measure:
    for _ in range(WARM_UP):
        runner.run(code)

    def run() -> Mapping[str, float]:
        timing = runner.run(code)
        return {"result": timing.first, "done": timing.done}

    return run


def test_warm_cell(
    report: Report,
    engine: EngineDriver,
    plain: PlainKernel,
    notebook: PlainKernel,
    cluster: ParallelCluster,
    parallel_notebook: PlainKernel,
) -> None:
    raw = RawClient(plain)
    paths = {
        "engine": measure(engine),
        "plain": measure(plain),
        "notebook": measure(notebook, "%%choline\n1+1"),
        "raw": measure(raw),
        "view": measure(cluster),
        "px": measure(parallel_notebook, "%%px\n1+1"),
    }
    found = interleave(paths, rounds=choose(15, 3), repeats=20)
    raw.close()
    peer, cell = "plain kernel", "`%%choline` cell"
    report.add(
        SECTION,
        Row("engine alone, to the result", found["engine result"], found["plain result"], peer, Goal(1.25)),
        Row("engine alone, to the end", found["engine done"], found["plain done"], peer),
        Row(f"{cell}, to the result", found["notebook result"], found["plain result"], peer),
        Row(f"{cell}, to the end", found["notebook done"], found["plain done"], peer, Goal(2.0)),
        Row("engine alone, to the result", found["engine result"], found["raw result"], "plain kernel, bare sockets"),
        Row("engine alone, to the end", found["engine done"], found["raw done"], "plain kernel, bare sockets"),
        Row("engine alone, to the end", found["engine done"], found["view done"], "ipyparallel `execute`"),
        Row(f"{cell}, to the end", found["notebook done"], found["px done"], "ipyparallel `%%px` cell"),
    )


def test_one_round_trip(engine: EngineDriver) -> None:
    """Counted, not timed: a warm cell sends one frame that something waits for, the job itself."""
    assert set(engine.count_requests("1+1", times=50)) == {1}
