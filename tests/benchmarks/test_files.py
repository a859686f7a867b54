"""Files that go along, against the tools that people use for that: rsync and tar, over the same ssh."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from choline_jupyter.capture.foresight import Need
from choline_jupyter.capture.selection import Rules, choose
from choline_jupyter.session.cargo import Cargo, Packed
from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.report import Goal, Report, Row
from tests.benchmarks.samples import Measure, interleave
from tests.benchmarks.samples import choose as choose_amount
from tests.benchmarks.ssh_host import SSHHost

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1500)]

SECTION = "Files"
FOLDERS, EACH = 200, choose_amount(100, 10)
_NUMBERS = itertools.count()  # of sessions
LARGE = choose_amount(1 << 30, 1 << 26)


class Peer:
    """rsync and tar to a folder of the host's own; each run of the first kind starts from nothing.

    Nothing is deleted meanwhile: ext4 makes new files very slowly for minutes behind the deletion of many.
    """

    def __init__(self, host: SSHHost, project: Path) -> None:
        self._ssh, self._project = host.ssh, project
        self._home = host._home.path
        self._numbers = itertools.count()
        self.clear()

    def clear(self) -> None:
        """Another folder, in which nothing is."""
        self._target = self._home / f"peer-{next(self._numbers)}"
        self._target.mkdir()

    def rsync(self, *options: str) -> Mapping[str, float]:
        """Seconds of one rsync."""
        shell = " ".join(self._ssh[:-1])
        start = time.perf_counter()
        target = f"{self._ssh[-1]}:{self._target}/"
        subprocess.run(["rsync", "-a", *options, "-e", shell, f"{self._project}/", target], check=True)
        return {"time": time.perf_counter() - start}

    def tar(self) -> Mapping[str, float]:
        """Seconds of tar through ssh."""
        start = time.perf_counter()
        with subprocess.Popen(["tar", "-C", str(self._project), "-cf", "-", "."], stdout=subprocess.PIPE) as pack:
            subprocess.run([*self._ssh, "tar", "-C", str(self._target), "-xf", "-"], stdin=pack.stdout, check=True)
        return {"time": time.perf_counter() - start}


class Ours:
    """The files of a project go along with a cell; each session is one of its own, whose kernel runs already."""

    def __init__(self, driver: EngineDriver, project: Path) -> None:
        self._driver, self._project = driver, project
        self._count = sum(path.is_file() for path in project.rglob("*"))

    def open(self) -> None:
        """A session that has nothing."""
        place = dataclasses.replace(
            self._driver._place, name=f"files {next(_NUMBERS)}", directory=str(self._project),
            files={"root": str(self._project), "mark": {}},
        )  # fmt: skip
        self._driver.open(place.name, place)
        self._driver.run("1")

    def send(self, code: str = "1") -> Mapping[str, float]:
        """Seconds from the scan to the end of a cell that has the files."""
        start = time.perf_counter()
        session = self._driver.session
        assert session is not None
        found = choose([Need(self._project, "folder", "")], Rules(self._project))
        shipment = session.files.sync.plan({choice.path: choice.status for choice in found})
        scanned = time.perf_counter()
        along = Packed({}) if shipment.is_empty else Cargo(shipment=shipment).send(self._driver.bridge, session)
        self._driver.run(code, along)
        return {"time": time.perf_counter() - start, "scan": scanned - start}

    def send_first(self) -> Mapping[str, float]:
        """The same, to a session that has nothing."""
        self.open()
        found = self.send()
        assert int(self._driver.evaluate("import os; sum(len(files) for _, _, files in os.walk('.'))")) == self._count
        return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many small files."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "pyproject.toml").touch()
    for number in range(FOLDERS):
        (folder / f"d{number}").mkdir()
        for count in range(EACH):
            (folder / f"d{number}" / f"{count}.txt").write_text(f"{number} {count} " * 200)
    return folder


def test_many_small_files(report: Report, near: EngineDriver, host: SSHHost, project: Path) -> None:
    ours, peer = Ours(near, project), Peer(host, project)

    def first(send: Measure) -> Measure:
        def run() -> Mapping[str, float]:
            peer.clear()
            return send()

        return run

    home = near.session
    paths = {"ours": ours.send_first, "rsync": first(peer.rsync), "tar": first(peer.tar)}
    found = interleave(paths, rounds=choose_amount(3, 1))
    best = min((found["rsync time"], found["tar time"]), key=lambda samples: samples.median)
    what = f"first sync of {FOLDERS * EACH:,} small files"
    report.add(SECTION, Row(what, found["ours time"], best, "the better of rsync and tar over ssh", Goal(1.0)))

    ours.open()
    ours.send()
    peer.rsync()
    found = interleave({"ours": ours.send, "rsync": peer.rsync}, rounds=choose_amount(10, 2))
    near.stop()
    near.session = home
    what = f"sync of {FOLDERS * EACH:,} files without a change"
    report.add(SECTION, Row(what, found["ours time"], found["ours scan"], "the scan alone", Goal(1.1)))
    report.add(SECTION, Row(what, found["ours time"], found["rsync time"], "rsync over ssh"))


def test_one_large_file(report: Report, near: EngineDriver, host: SSHHost, tmp_path: Path) -> None:
    project = tmp_path / "large"
    project.mkdir()
    (project / "pyproject.toml").touch()
    with (project / "data.bin").open("wb") as file:
        for _ in range(LARGE >> 20):
            file.write(os.urandom(1 << 20))
    ours, target = Ours(near, project), host._home.path / "large.bin"
    home = near.session

    def cat() -> Mapping[str, float]:
        start = time.perf_counter()
        with (project / "data.bin").open("rb") as source:
            local = subprocess.Popen(["sha256sum", str(project / "data.bin")], stdout=subprocess.DEVNULL)
            subprocess.run(
                [*host.ssh, f"tee {target} | sha256sum"], stdin=source, stdout=subprocess.DEVNULL, check=True
            )
            local.wait()
        return {"time": time.perf_counter() - start}

    found = interleave({"ours": ours.send_first, "cat": cat}, rounds=choose_amount(3, 1))
    near.session = home
    what = f"one file of {LARGE >> 20} MiB"
    report.add(
        SECTION, Row(what, found["ours time"], found["cat time"], "`cat | ssh`, hashed on both sides", Goal(1.25))
    )
