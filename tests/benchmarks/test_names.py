"""Names that go along: what unchanged ones cost a warm cell, and a large array on its way to a host."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import numpy as np
import pytest

from choline_jupyter.capture.history import History
from choline_jupyter.capture.sent import SentNames
from choline_jupyter.session.cargo import Cargo
from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.home import Home
from tests.benchmarks.plain_kernel import PlainKernel
from tests.benchmarks.report import Goal, Report, Row
from tests.benchmarks.samples import Measure, Samples, choose, interleave
from tests.benchmarks.ssh_host import SSHHost

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1500)]

SECTION = "Names"
SIZE = choose(1 << 30, 1 << 26)  # bytes of the array
CELLS = 50
READS = "%%choline\nint(big[0]) + len(table) + len(words) + scale + Point(1).x"
NOTHING = "%%choline\n1"


@pytest.fixture(scope="module")
def notebook(home: Home) -> Iterator[PlainKernel]:
    """A notebook of 50 cells, five of whose names a remote cell reads; the session has them already."""
    kernel = PlainKernel(home.environment)
    kernel.evaluate("%load_ext choline_jupyter")
    kernel.evaluate(f"import numpy as np\nbig = np.arange({SIZE} // 8)")
    kernel.evaluate("table, words, scale = {'a': list(range(1000))}, ['word'] * 1000, 0.5")
    kernel.evaluate("class Point:\n    def __init__(self, x): self.x = x")
    for number in range(CELLS - 4):
        kernel.evaluate(
            f"def helper_{number}(value):\n    return [part + {number} for part in value]\nn{number} = {number}"
        )
    kernel.run(READS)
    yield kernel
    kernel.close()


def test_a_warm_cell_that_reads_unchanged_names(report: Report, notebook: PlainKernel) -> None:
    def run(code: str, before: str = "") -> Measure:
        def measure() -> Mapping[str, float]:
            if before:
                notebook.run(before)
            return {"done": notebook.run(code).done}

        return measure

    data = np.arange(SIZE // 8)

    def take_hash() -> Mapping[str, float]:
        start = time.perf_counter()
        hashlib.sha256(data.data).digest()
        return {"done": time.perf_counter() - start}

    paths = {"reads": run(READS), "nothing": run(NOTHING)}
    found = interleave(paths, rounds=choose(15, 3), repeats=10)
    size = f"one of {SIZE >> 20} MiB"
    peer = "warm cell that reads none"
    what = f"warm cell that reads 5 unchanged names, {size}, behind remote cells"
    report.add(SECTION, Row(what, found["reads done"], found["nothing done"], peer, Goal(1.5)))

    paths = {"reads": run(READS, "1"), "nothing": run(NOTHING, "1"), "hash": take_hash}
    found = interleave(paths, rounds=choose(10, 2))
    both = Samples()
    for nothing, one in zip(found["nothing done"].values, found["hash done"].values, strict=True):
        both.add(1.5 * nothing + one)
    what = f"the same behind a cell of this side, {size}"
    report.add(SECTION, Row(what, found["reads done"], both, "1.5 x that + one SHA-256 of it", Goal(1.1)))


class Peers:
    """The same bytes through the same ssh."""

    def __init__(self, host: SSHHost, array: np.ndarray[Any, Any]) -> None:
        self._ssh, self._array, self._host = host.ssh, array, host

    def cat(self) -> Mapping[str, float]:
        """To a file."""
        return self._send(f"cat > {self._host._home.path / 'array.bin'}", self._array.data.cast("B"))

    def hashed(self) -> Mapping[str, float]:
        """To a file, hashed here beforehand, as it must be to know whether it is there already, and there."""
        data = self._array.data.cast("B")
        start = time.perf_counter()
        hashlib.sha256(data).digest()
        target = self._host._home.path / "array.bin"
        return {
            "time": self._send(f"tee {target} | sha256sum", data)["time"] + time.perf_counter() - start - self._last
        }

    def cloudpickle(self) -> Mapping[str, float]:
        """Into a fresh Python."""
        load = "import pickle, sys; pickle.load(sys.stdin.buffer)"
        start = time.perf_counter()
        self._send(f"{sys.executable} -c '{load}'", memoryview(cloudpickle.dumps(self._array)))
        return {"time": time.perf_counter() - start}

    def _send(self, command: str, data: memoryview) -> Mapping[str, float]:
        start = time.perf_counter()
        subprocess.run([*self._ssh, command], input=data, stdout=subprocess.DEVNULL, check=True)
        self._last = time.perf_counter() - start
        return {"time": self._last}


def test_a_large_array(report: Report, near: EngineDriver, host: SSHHost) -> None:
    array = np.random.default_rng(1).integers(0, 1 << 62, SIZE // 8)
    peers, numbers = Peers(host, array), itertools.count()

    def send() -> Mapping[str, float]:
        place = dataclasses.replace(near._place, name=f"names {next(numbers)}")
        near.open(place.name, place)
        near.run("import numpy")
        start = time.perf_counter()
        plan = SentNames(History(["", "array = 1"]), {}).plan("array", 2, {"array": array})
        acts = [
            {**item.act, "name": item.name, "sizes": [memoryview(part).nbytes for part in item.buffers]}
            for item in plan.items
        ]
        [item] = plan.items
        session = near.session
        assert session is not None
        along = Cargo(acts, item.buffers, None, item.digests).send(near.bridge, session)
        near.run("assert len(array)", along)
        passed = time.perf_counter() - start
        assert near.evaluate("int(array[-1])") == str(array[-1])
        near.stop()
        return {"time": passed}

    home = near.session
    paths = {"ours": send, "cat": peers.cat, "hashed": peers.hashed, "cloudpickle": peers.cloudpickle}
    found = interleave(paths, rounds=choose(3, 1))
    near.session = home
    what, ours = f"array of {SIZE >> 20} MiB to a host, until a cell has it", found["ours time"]
    report.add(
        SECTION,
        Row(what, ours, found["cat time"], "`cat | ssh` to a file", Goal(1.2)),
        Row(what, ours, found["hashed time"], "the same, hashed on both sides"),
        Row(what, ours, found["cloudpickle time"], "cloudpickle through ssh", Goal(0.65)),
    )
