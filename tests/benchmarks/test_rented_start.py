"""Our own share of a rent: from the moment in which the provider says that the machine runs to the first output."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping

import pytest

from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.providers.provider import Sighting
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.options import parse_cell
from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.home import Home
from tests.benchmarks.report import Goal, Report, Row
from tests.benchmarks.samples import Samples, choose, interleave
from tests.benchmarks.ssh_host import SSHHost
from tests.fakes.machine_provider import MachineProvider, install

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Money"
LINE = "--gpu 4x3090 --ranks 1 --provider memory --budget 2"


class Told(MachineProvider):
    """Notes when it has first said that a machine runs."""

    ready = 0.0

    def _see(self, handle: str) -> Sighting:
        seen = super()._see(handle)
        if seen.state is InstanceState.READY and not self.ready:
            self.ready = time.perf_counter()
        return seen


@pytest.fixture
def provider(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    made = Told()
    install(made, monkeypatch)
    yield made
    made.close()


def rent_and_run(provider: Told) -> Mapping[str, float]:
    """A machine that was never seen before, and a cell on it."""
    provider.ready = 0.0
    driver = EngineDriver()
    tenancy = driver.bridge.engine.tenancy
    greeted = 0.0

    async def agree(question: str) -> bool:
        return True

    greet = tenancy.greet

    async def note_greeting(machine: InstanceRow, *arguments: object) -> None:
        nonlocal greeted
        await greet(machine, *arguments)  # type: ignore[arg-type]
        greeted = time.perf_counter()

    tenancy._agree, tenancy.watch = agree, lambda: None
    tenancy.greet = note_greeting  # type: ignore[method-assign,assignment]
    driver.open("rented", make_spec(f"rented {time.perf_counter()}", parse_cell(LINE).options))
    sent = time.perf_counter()
    timing = driver.run("print(1 + 1)")
    driver.stop()
    driver.close()
    return {
        "time": sent + timing.first - provider.ready,
        "greeting": greeted - provider.ready,
        "rest": sent + timing.first - greeted,
    }


def test_our_own_share(report: Report, home: Home, provider: Told) -> None:
    """On an image that has the environment, and on a bare one, whose packages come from an index."""
    host = SSHHost()

    def start_cold() -> Mapping[str, float]:
        """The peer: by ssh, on a host that has the agent on its disk and runs nothing of it."""
        host.clear()
        with host.entered():
            begun = time.perf_counter()
            driver = EngineDriver(host.place)
            driver.open(f"cold {begun}")
            driver.run("1+1")
            passed = time.perf_counter() - begun
            driver.stop()
            driver.close()
        return {"time": passed}

    def rent(is_bare: bool) -> Mapping[str, float]:
        provider.is_bare = is_bare
        return rent_and_run(provider)

    start_cold()
    found = interleave({"rented": lambda: rent(False), "cold": start_cold}, rounds=choose(8, 2))
    bare = interleave({"bare": lambda: rent(True)}, rounds=choose(2, 1))
    host.close()
    what = "`running`, to the first output"
    prepared = f"{what}, environment in the image"
    report.add(
        SECTION,
        Row(prepared, found["rented time"], found["cold time"], "cold start over ssh, prepared host", Goal(2)),
        *list_parts(prepared, found, "rented"),
        Row(f"{what}, bare image", bare["bare time"]),
        *list_parts(f"{what}, bare image", bare, "bare"),
    )  # fmt: skip


def list_parts(what: str, found: Mapping[str, Samples], name: str) -> list[Row]:
    return [
        Row(f"{what}: until it lets us in and has the agent", found[f"{name} greeting"]),
        Row(f"{what}: environment, kernel, cell", found[f"{name} rest"]),
    ]
