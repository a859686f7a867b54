"""Output: many lines, flushed lines, one large display."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.plain_kernel import PlainKernel
from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import Measure, Samples, choose, interleave
from tests.benchmarks.timing import Timing

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Output"
PEER = "plain kernel"
LINES = 100_000
FLUSHED = choose(5_000, 2_000)
SIZE = 50_000_000

PRINTS = f"for i in range({LINES}): print(i)"
FLUSHED_PRINTS = f"for i in range({FLUSHED}): print('x' * 2000, flush=True)"
DISPLAY = f"from IPython.display import display\ndisplay({{'text/plain': 'x' * {SIZE}}}, raw=True)"
# What is stored behind the screen must not slow the sample that another path takes next.
FLUSH = "from choline_jupyter.session.bridge import get_bridge\nget_bridge().engine.store.flush()"

Run = Callable[[], Timing]
Measured = dict[str, Samples]


class Paths:
    """The same cell by each path."""

    def __init__(self, engine: EngineDriver, plain: PlainKernel, notebook: PlainKernel) -> None:
        self._engine, self._plain, self._notebook = engine, plain, notebook

    def measure(self, code: str, rounds: int, read: Callable[[Timing], Mapping[str, float]]) -> Measured:
        """Samples by `path quantity`; the first run of each path is not counted."""
        runs: dict[str, Run] = {
            "engine": lambda: self._engine.run(code),
            "plain": lambda: self._plain.run(code),
            "notebook": lambda: self._notebook.run(f"%%choline\n{code}"),
        }
        for run in runs.values():
            run()
        self._settle()
        return interleave({name: self._make(run, read) for name, run in runs.items()}, rounds)

    def _make(self, run: Run, read: Callable[[Timing], Mapping[str, float]]) -> Measure:
        def measure() -> Mapping[str, float]:
            found = read(run())
            self._settle()
            return found

        return measure

    def _settle(self) -> None:
        self._engine.bridge.engine.store.flush()
        self._notebook.run(FLUSH)


@pytest.fixture(scope="module")
def paths(engine: EngineDriver, plain: PlainKernel, notebook: PlainKernel) -> Paths:
    notebook.run("%%choline\n1+1")
    return Paths(engine, plain, notebook)


def test_lines(report: Report, paths: Paths) -> None:
    def read(timing: Timing) -> Mapping[str, float]:
        assert timing.lines == LINES
        return {"rate": LINES / timing.done}

    found = paths.measure(PRINTS, choose(12, 2), read)
    what, unit = f"{LINES:,} prints", Unit("k lines/s", 1e-3)
    engine, plain, notebook = (found[f"{name} rate"] for name in ("engine", "plain", "notebook"))
    report.add(SECTION, Row(f"{what}, engine alone", engine, plain, PEER, Goal(0.9, is_least=True), unit))
    report.add(SECTION, Row(f"{what}, whole cell", notebook, plain, PEER, Goal(0.7, is_least=True), unit))


def test_flushed_lines(report: Report, paths: Paths) -> None:
    def read(timing: Timing) -> Mapping[str, float]:
        return {"each": timing.done / FLUSHED, "share": FLUSHED / timing.messages, "lost": FLUSHED - timing.lines}

    found = paths.measure(FLUSHED_PRINTS, choose(5, 1), read)
    assert not any(found["engine lost"].values)
    assert not any(found["notebook lost"].values)
    what, unit = f"{FLUSHED:,} flushed prints of 2 KB", Unit("us each", 1e6)
    lost = max(found["plain lost"].values)
    note = f"the peer lost up to {lost:,.0f} lines" if lost else ""
    engine, plain, notebook = (found[f"{name} each"] for name in ("engine", "plain", "notebook"))
    share, frames = found["engine share"], Unit("prints per frame", 1)
    report.add(SECTION, Row(f"{what}, engine alone", share, goal=Goal(10, is_least=True), unit=frames))
    report.add(SECTION, Row(f"{what}, engine alone", engine, plain, PEER, unit=unit, note=note))
    report.add(SECTION, Row(f"{what}, whole cell", notebook, plain, PEER, unit=unit, note=note))


def test_large_display(report: Report, paths: Paths) -> None:
    found = paths.measure(DISPLAY, choose(10, 2), lambda timing: {"rate": SIZE / timing.done})
    what, unit = "50 MB display", Unit("MB/s", 1e-6)
    engine, plain, notebook = (found[f"{name} rate"] for name in ("engine", "plain", "notebook"))
    report.add(SECTION, Row(f"{what}, engine alone", engine, plain, PEER, Goal(0.8, is_least=True), unit))
    report.add(SECTION, Row(f"{what}, whole cell", notebook, plain, PEER, unit=unit))
