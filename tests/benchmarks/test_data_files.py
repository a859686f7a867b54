"""Large files and slow links: what a change costs against rsync, what a large set takes of memory."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from choline_jupyter.session.window import Window
from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.home import Home
from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import Samples, choose, interleave
from tests.benchmarks.ssh_host import SSHHost, open_driver
from tests.benchmarks.test_files import SECTION, Ours, Peer
from tests.net.link import Link, require_link

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1500)]

LARGE = choose(1 << 30, 1 << 26)
EDITS = 100
MANY = choose(5_000, 200)
LARGE_FILES, SMALL_FILES = choose(4, 1), choose(5_000, 100)
WORDS = [f"{random.Random(number).randbytes(3).hex()}_{number}" for number in range(2_000)]


@pytest.fixture(scope="module")
def slow_host() -> Iterator[SSHHost]:
    """At the far end of a link of 50 ms and 100 Mbit/s."""
    require_link()
    with Link() as link:
        link.change(delay=0.025, rate=100e6 / 8)
        made = SSHHost(link)
        yield made
        made.close()


@pytest.fixture(scope="module")
def far(home: Home, slow_host: SSHHost) -> Iterator[EngineDriver]:
    yield from open_driver(slow_host)


def make_project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    return folder


def change(path: Path) -> None:
    """One hundredth of a file is other bytes, in many places, and it is replaced by that."""
    count = LARGE // 100 // EDITS
    new = path.with_name("next")
    shutil.copyfile(path, new)
    with new.open("r+b") as file:
        for _ in range(EDITS):
            file.seek(random.randrange(LARGE - count))
            file.write(os.urandom(count))
    new.replace(path)


@contextmanager
def count_sent(monkeypatch: pytest.MonkeyPatch, counts: list[int]) -> Iterator[None]:
    """Adds the bytes of each chunk that leaves."""
    wait = Window._wait

    async def note(window: Window, head: dict[str, Any], data: bytes) -> None:
        counts.append(len(data))
        await wait(window, head, data)

    with monkeypatch.context() as patched:
        patched.setattr(Window, "_wait", note)
        yield


def test_a_changed_file(
    report: Report, near: EngineDriver, host: SSHHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "changed")
    data = project / "data.bin"
    with data.open("wb") as file:
        for _ in range(LARGE >> 20):
            file.write(os.urandom(1 << 20))
    ours, peer, home = Ours(near, project), Peer(host, project), near.session
    ours.open()
    ours.send()
    peer.rsync()

    def send() -> Mapping[str, float]:
        change(data)
        counts: list[int] = []
        with count_sent(monkeypatch, counts):
            found = ours.send()
        return {**found, "share": sum(counts) / (LARGE / 100)}

    found = interleave({"ours": send, "rsync": peer.rsync}, rounds=choose(6, 2))
    near.session = home
    what = f"1 % of a file of {LARGE >> 20} MiB, replaced"
    report.add(
        SECTION,
        Row(what, found["ours time"], found["rsync time"], "rsync over ssh", Goal(0.6)),
        Row(f"{what}: bytes sent for each that changed", found["ours share"], goal=Goal(1.5), unit=Unit("", 1)),
    )


def test_a_slow_link(report: Report, far: EngineDriver, slow_host: SSHHost, tmp_path: Path) -> None:
    project = make_project(tmp_path / "words")
    chance = random.Random(1)
    for number in range(MANY):
        folder = project / f"d{number // 100}"
        folder.mkdir(exist_ok=True)
        text = " ".join(chance.choices(WORDS, k=chance.randrange(200, 800)))
        (folder / f"{number}.txt").write_text(text)
    ours, peer, home = Ours(far, project), Peer(slow_host, project), far.session

    def rsync() -> Mapping[str, float]:
        peer.clear()
        return peer.rsync("-z")

    found = interleave({"ours": ours.send_first, "rsync": rsync}, rounds=choose(3, 1))
    far.session = home
    size = sum(path.stat().st_size for path in project.rglob("*.txt")) / 1e6
    what = f"first sync of {MANY:,} small files of text, {size:.0f} MB, at 50 ms and 100 Mbit/s"
    report.add(SECTION, Row(what, found["ours time"], found["rsync time"], "`rsync -z` over ssh", Goal(0.65)))


class Watch:
    """A thread that looks how much memory processes have, above what they had at first."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self._processes, self._is_over = processes, threading.Event()
        self._start, self.peak = self._look(), 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def close(self) -> float:
        """The most that they had, in bytes."""
        self._is_over.set()
        self._thread.join()
        return float(self.peak)

    def _watch(self) -> None:
        while not self._is_over.wait(0.05):
            self.peak = max(self.peak, self._look() - self._start)

    def _look(self) -> int:
        total = 0
        for process in self._processes:
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total


def test_memory_of_a_large_set(report: Report, near: EngineDriver, host: SSHHost, tmp_path: Path) -> None:
    project = make_project(tmp_path / "set")
    for number in range(LARGE_FILES):
        with (project / f"large-{number}").open("wb") as file:
            file.write(os.urandom(1 << 20))
            file.truncate(1 << 30)
    for number in range(SMALL_FILES):
        (project / f"small-{number}").write_bytes(os.urandom(100_000))
    ours, home = Ours(near, project), near.session
    ours.open()
    sides = {"client": Watch([psutil.Process()]), "host": Watch(host._home.list_processes())}
    ours.send()
    size = f"{LARGE_FILES} files of 1 GiB and {SMALL_FILES:,} of 100 kB"
    for side, watch in sides.items():
        peak = Samples()
        peak.add(watch.close())
        report.add(
            SECTION, Row(f"memory of the {side} above its start, {size}", peak, goal=Goal(200), unit=Unit("MB", 1e-6))
        )
    near.session = home
