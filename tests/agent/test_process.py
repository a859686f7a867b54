"""Processes of a session: found by mark and kernel session, all ended, no other touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from choline_jupyter.agent.process import MARK, end_processes, find_processes, make_mark, read_oom_kills

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
Starter = list[subprocess.Popen[str]]


@pytest.fixture
def started() -> Iterator[Starter]:
    made: Starter = []
    yield made
    for process in made:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def start(started: Starter, mark: str = "", code: str = SLEEPER, is_leader: bool = True) -> subprocess.Popen[str]:
    """A process that is up when this returns."""
    environment = {**os.environ, **({MARK: mark} if mark else {})}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, start_new_session=is_leader, stdout=subprocess.PIPE, text=True
    )
    started.append(process)
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    return process


def make_own_mark() -> str:
    return make_mark("s-test-%d" % os.getpid(), 0)


def test_a_marked_process_that_left_the_session_is_ended(started: Starter) -> None:
    mark = make_own_mark()
    runaway = start(started, mark)
    bystander = start(started, mark + "1")
    assert find_processes(mark, 0) == [runaway.pid]
    end_processes(mark, 0)
    assert runaway.wait() == -signal.SIGTERM
    assert bystander.poll() is None


def test_what_forgot_its_mark_is_found_by_its_session(started: Starter) -> None:
    leader = start(started)
    assert find_processes(make_own_mark(), leader.pid) == [leader.pid]
    end_processes(make_own_mark(), leader.pid)
    assert leader.wait() == -signal.SIGTERM


def test_what_ignores_the_polite_signal_is_killed(started: Starter) -> None:
    stubborn = start(started, make_own_mark(), STUBBORN)
    end_processes(make_own_mark(), stubborn.pid)
    assert stubborn.wait() == -signal.SIGKILL


def test_a_whole_tree_is_ended(started: Starter) -> None:
    child = (
        "import subprocess, sys, time;"
        f"subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True); time.sleep(600)"
    )
    mark = make_own_mark()
    parent = start(started, mark, child)
    assert len(find_processes(mark, parent.pid)) == 2
    end_processes(mark, parent.pid)
    assert parent.wait() == -signal.SIGTERM
    assert find_processes(mark, parent.pid) == []


def test_without_a_leader_nothing_unmarked_is_meant() -> None:
    assert find_processes(make_own_mark(), 0) == []


def test_kills_for_memory_are_counted() -> None:
    assert read_oom_kills() >= 0
