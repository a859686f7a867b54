"""Datasets by address: what a download costs against curl, and what the next session on the same machine pays."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from choline_jupyter.session.cargo import Packed
from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.report import Report, Row
from tests.benchmarks.samples import choose, interleave
from tests.net.data_server import DataServer, serve_data

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

SECTION = "Datasets"
SIZE = choose(1 << 28, 1 << 24)
_NUMBERS = itertools.count()


class Ours:
    """A cell that names an address, in a session of its own whose kernel runs already."""

    def __init__(self, driver: EngineDriver, folder: Path, server: DataServer) -> None:
        self._driver, self._folder, self._server = driver, folder, server

    def read(self, query: str) -> Mapping[str, float]:
        """Seconds of the cell."""
        driver = self._driver
        place = dataclasses.replace(
            driver._place, name=f"dataset {next(_NUMBERS)}", directory=str(self._folder),
            files={"root": str(self._folder), "mark": {}},
        )  # fmt: skip
        session = driver.open(place.name, place)
        driver.run("import os")
        url = f"{self._server.address}/x.bin{query}"
        told = [{"url": url, "path": str(self._folder / "x.bin"), "name": "x.bin", "settings": {}}]
        timing = driver.run("assert os.path.getsize('x.bin')", Packed({"datasets": told}))
        driver.bridge.call(driver.bridge.engine.stop(session.row))
        return {"time": timing.done}

    def read_new(self) -> Mapping[str, float]:
        """An address that nobody has asked for."""
        return self.read(f"?{next(_NUMBERS)}")


def test_first_and_second_use(report: Report, near: EngineDriver, tmp_path: Path) -> None:
    home = near.session
    with serve_data() as server:
        server.put("/x.bin", os.urandom(SIZE))
        ours = Ours(near, tmp_path, server)
        ours.read("")

        def curl() -> Mapping[str, float]:
            start = time.perf_counter()
            subprocess.run(["curl", "-so", str(tmp_path / "peer.bin"), f"{server.address}/x.bin"], check=True)
            return {"time": time.perf_counter() - start}

        found = interleave({"first": ours.read_new, "again": lambda: ours.read(""), "curl": curl}, rounds=choose(6, 2))
    near.session = home
    what = f"a cell that names {SIZE >> 20} MiB by address"
    report.add(
        SECTION,
        Row(f"{what}: downloaded", found["first time"], found["curl time"], "curl, which does not hash"),
        Row(f"{what}: the next session of that machine", found["again time"], found["first time"], "downloaded"),
    )
