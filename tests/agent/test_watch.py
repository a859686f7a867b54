"""Until when a machine may live: limits, lease, and what its watchdog reads. The watchdog itself runs for real."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from choline_jupyter.agent import watch
from choline_jupyter.agent.watch import Watch
from choline_jupyter.providers.startup import FOLDER, LONGEST, make_startup, make_watchdog


class Uptime:
    def __init__(self) -> None:
        self.now = 50_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def uptime(monkeypatch: pytest.MonkeyPatch) -> Uptime:
    made = Uptime()
    monkeypatch.setattr(watch, "find_uptime", made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a watchdog runs."""
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "end").write_text("51000\n")
    return folder


def read_end(folder: Path) -> int:
    return int((folder / "end").read_text())


def test_it_knows_where_the_watchdog_looks() -> None:
    assert str(watch.FOLDER) == FOLDER


def test_a_container_s_own_uptime_goes_before_the_kernel_s_clock(tmp_path: Path) -> None:
    """The watchdog reads the file: a second of another clock would never come, or be over already."""
    told = tmp_path / "uptime"
    told.write_text("12.50 10.00\n")
    assert watch.find_uptime(str(told)) == 12.5
    told.write_text("\n")
    assert watch.find_uptime(str(told)) == pytest.approx(watch.find_uptime(str(tmp_path / "none")), abs=5.0)


def test_it_tells_how_long_the_machine_lives(tmp_path: Path, folder: Path, uptime: Uptime) -> None:
    machine = Watch(tmp_path, folder)
    machine.limit(7200.0, 600.0)
    uptime.now += 200
    assert machine.find_left() == 400
    machine.touch()
    assert machine.find_left() == 600
    machine.note(is_busy=True)
    assert machine.find_left() == 7000
    assert Watch(tmp_path, tmp_path / "none").find_left() is None


def test_idle_it_ends_at_its_lease_busy_at_its_limit(tmp_path: Path, folder: Path, uptime: Uptime) -> None:
    machine = Watch(tmp_path, folder)
    machine.limit(7200.0, 600.0)
    assert read_end(folder) == 50_600
    machine.note(is_busy=True)
    assert read_end(folder) == 57_200
    uptime.now += 5000
    machine.note(is_busy=False)  # the lease begins when the job ends
    assert read_end(folder) == 55_600
    uptime.now += 300
    machine.touch()
    machine.refresh()
    assert read_end(folder) == 55_900


def test_the_limit_comes_before_the_lease(tmp_path: Path, folder: Path, uptime: Uptime) -> None:
    machine = Watch(tmp_path, folder)
    machine.limit(100.0, 600.0)
    assert read_end(folder) == 50_100
    assert not machine.find_reason()
    uptime.now += 85
    assert machine.find_reason() == "its budget is spent or its deadline has come"


def test_an_idle_end_says_so(tmp_path: Path, folder: Path, uptime: Uptime) -> None:
    machine = Watch(tmp_path, folder)
    machine.limit(9000.0, 600.0)
    uptime.now += 590
    assert machine.find_reason() == "its lease ran out"


def test_it_is_held_while_results_wait(tmp_path: Path, folder: Path, uptime: Uptime) -> None:
    machine = Watch(tmp_path, folder)
    machine.limit(20_000.0, 600.0, 7200.0)
    machine.note(is_busy=False, is_awaited=True)
    assert read_end(folder) == 57_800
    machine.note(is_busy=False, is_awaited=False)  # they were fetched
    assert read_end(folder) == 50_600


def test_limits_outlive_the_supervisor_but_not_the_machine(
    tmp_path: Path, folder: Path, uptime: Uptime, monkeypatch: pytest.MonkeyPatch
) -> None:
    Watch(tmp_path, folder).limit(100.0, 600.0)
    assert Watch(tmp_path, folder).find_end() == 50_100
    monkeypatch.setattr(watch, "find_boot", lambda: "another")
    assert Watch(tmp_path, folder).find_end() == 50_000 + 1800


def test_limits_do_not_outlive_a_container(tmp_path: Path, folder: Path, uptime: Uptime) -> None:
    """One that was stopped and is started again has its host's boot id: its watchdog's text has been written anew."""
    (folder / "watch").write_text("")
    os.utime(folder / "watch", ns=(1, 1))
    Watch(tmp_path, folder).limit(100.0, 600.0)
    assert Watch(tmp_path, folder).find_end() == 50_100
    os.utime(folder / "watch", ns=(2, 2))
    assert Watch(tmp_path, folder).find_end() == 50_000 + 1800


@pytest.mark.parametrize("text", ["", "{", "[]", '{"end": "soon"}', "null"])
def test_a_damaged_file_is_no_limit(tmp_path: Path, folder: Path, uptime: Uptime, text: str) -> None:
    (tmp_path / "limits.json").write_text(text)
    assert Watch(tmp_path, folder).find_end() == 50_000 + 1800


def test_the_users_own_machine_has_no_watchdog(tmp_path: Path, uptime: Uptime) -> None:
    machine = Watch(tmp_path, tmp_path / "nothing")
    machine.limit(1.0, 1.0)
    uptime.now += 100
    assert not machine.is_armed
    assert not machine.find_reason()
    assert not (tmp_path / "nothing").exists()


def run_watchdog(tmp_path: Path, first: float, deadline: float) -> subprocess.Popen[bytes]:
    """The real script, with its folder here; it looks every second."""
    text = make_watchdog(first, deadline, f"touch {tmp_path}/ended && kill $$", 1).replace(FOLDER, str(tmp_path / "w"))
    subprocess.run(["sh", "-c", text], check=True)
    return subprocess.Popen(["sh", str(tmp_path / "w/watch")])


@pytest.mark.parametrize(("first", "deadline"), [(0, 3600), (3600, 0)])
def test_the_watchdog_ends_the_machine_when_nobody_comes(tmp_path: Path, first: float, deadline: float) -> None:
    run_watchdog(tmp_path, first, deadline).wait(30)
    assert (tmp_path / "ended").exists()


def test_the_watchdog_follows_the_file_and_not_what_is_no_number(tmp_path: Path) -> None:
    process = run_watchdog(tmp_path, 3600, 3600)
    end = tmp_path / "w/end"
    try:
        while not end.exists() or not end.read_text().strip():
            assert process.poll() is None
        for text in ("", "soon", "-5", "1 2 3;x"):
            end.write_text(text)
            assert process.poll() is None
        end.write_text("1\n")
        process.wait(30)
    finally:
        process.kill()
    assert (tmp_path / "ended").exists()


def test_the_script_fits_what_providers_take() -> None:
    watchdog = make_watchdog(1500, 28_800, "x" * 400)
    assert len(make_startup("k" * 420, "ssh-ed25519 " + "A" * 70, watchdog, limit=LONGEST)) < LONGEST
    with pytest.raises(ValueError, match="characters"):
        make_startup("k", "p", "x" * LONGEST, limit=LONGEST)
