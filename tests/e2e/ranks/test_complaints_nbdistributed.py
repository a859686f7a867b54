"""What users and measurements hold against nbdistributed, each as a test that a cell on several ranks passes.

Those that other files of this folder test already are listed, with these, in docs/ranks.md.
"""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.ranks.conftest import SETUP

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

LONGEST = 31  # seconds: nbdistributed's own limit is 30


@pytest.fixture(scope="module")
def long_cell(isolation: Isolation) -> Iterator[tuple[DrivenKernel, Run]]:
    """A notebook beside the other, with a cell that is begun before all else and looked at behind all else."""
    made = DrivenKernel(isolation)
    made.run(LOAD)
    cell = made.start(
        "%%choline --session long --ranks 2\n"
        f"import os, time\ntime.sleep({LONGEST})\nprint('slept', os.environ['RANK'])"
    )
    yield made, cell
    made.close()


@pytest.fixture(autouse=True)
def begun_first(long_cell: tuple[DrivenKernel, Run], kernel: DrivenKernel) -> None:
    """The long cell is on its way before the first test."""


def list_pids(kernel: DrivenKernel) -> list[int]:
    run = kernel.run("%%choline\nprint(os.getpid())")
    return [int(line.removeprefix("[1] ")) for line in run.read().splitlines()]


def test_start_without_python_on_the_path(tmp_path: Path) -> None:
    """The command `python` is hard-coded, so ranks do not start where the environment is not on PATH."""
    isolation = Isolation()  # one whose agent does not run yet
    isolation.environment["PATH"] = str(tmp_path)
    kernel = DrivenKernel(isolation)
    try:
        kernel.run(LOAD)
        run = kernel.run("%%choline --ranks 2\nimport os\nprint(os.environ['PATH'], os.environ['RANK'])")
        assert run.read() == f"{tmp_path} 0\n[1] {tmp_path} 1\n"
        kernel.run("%choline stop --all --yes")
    finally:
        kernel.close()
        isolation.close()


def test_first_cell_of_new_ranks(kernel: DrivenKernel) -> None:
    """Readiness is reported before the workers have imported torch, and the first cell is dropped and fails after 30 s."""
    code = SETUP.replace("--ranks 2", "--session fresh --ranks 2") + "\ndist.all_reduce(x)\nx.tolist()"
    run = kernel.run(code)
    kernel.run("%%choline --session fresh --ranks 2\npass")
    assert run.read_result() == "[2.0, 2.0]"
    kernel.run("%choline stop fresh --yes")
    assert kernel.run(SETUP).reply["status"] == "ok"


def test_blank_lines_and_stderr(kernel: DrivenKernel) -> None:
    """Blank lines are dropped and what is written to stderr is never shown."""
    run = kernel.run("%%choline\nimport sys\nprint('a\\n\\n\\nb\\n')\nprint('to stderr', file=sys.stderr)")
    assert run.read() == "a\n\n\nb\n\n"
    assert "to stderr\n" in run.read("stderr")


def test_shell_commands(kernel: DrivenKernel) -> None:
    """`!command` is a SyntaxError."""
    assert kernel.run("%%choline\n!echo from the shell").read().split() == ["from", "the", "shell"]


def test_traceback_begins_in_the_cell(kernel: DrivenKernel) -> None:
    """A traceback begins with internal frames and an internal SyntaxError."""
    run = kernel.run("%%choline\ndef fail():\n    raise KeyError('mine')\nfail()")
    text = run.read_error()
    assert run.reply["ename"] == "KeyError"
    assert "choline_jupyter" not in text
    assert "SyntaxError" not in text
    assert text.count("fail()") >= 1
    assert "File " not in text.split("Cell")[0]


def test_interrupt_keeps_every_process_and_name(kernel: DrivenKernel) -> None:
    """An interrupt kills every worker with all that is on its GPU, and later cells run into their time limits."""
    before = list_pids(kernel)
    kernel.run("%%choline\nkept = torch.full((3,), float(RANK))")
    cell = kernel.start("%%choline\nprint('begun', flush=True)\nwhile True: time.sleep(0.01)")
    kernel.wait_for(lambda: "begun" in cell.read())
    kernel.interrupt()
    assert kernel.finish(cell).reply["ename"] == "KeyboardInterrupt"
    run = kernel.run("%%choline\ndist.all_reduce(kept); kept.tolist()")
    assert run.read_result() == "[1.0, 1.0, 1.0]"
    assert list_pids(kernel) == before


def test_output_that_bypasses_python(kernel: DrivenKernel) -> None:
    """Workers write into pipes that nobody reads: a library that prints much fills them, and the worker hangs."""
    code = "%%choline\nwritten = sum(os.write(number, b'x' * 4096) for number in (1, 2) for _ in range(256))\nwritten"
    assert kernel.run(code).read_result() == str(2 << 20)


def test_nobody_else_can_reach_the_ranks(kernel: DrivenKernel) -> None:
    """The coordinator listens on all interfaces and unpickles whatever comes, from whomever."""
    kernel.run("%%choline\ndist.barrier()")
    listening = [
        one.laddr.ip
        for pid in list_pids(kernel)
        for one in psutil.Process(pid).net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    ]
    assert all(ipaddress.ip_address(address).is_loopback for address in listening), listening


def test_stop_ends_own_processes_only(kernel: DrivenKernel) -> None:
    """Its reset kills by name, so also the processes of others."""
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()", "torch", "worker", "rank"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert stranger.stdin
    assert stranger.stdout
    assert stranger.stdout.readline() == b"up\n"
    kernel.run("%%choline --session doomed --ranks 2\n1")
    kernel.run("%choline stop doomed --yes")
    assert stranger.poll() is None
    assert kernel.run(SETUP).reply["status"] == "ok"
    stranger.communicate(timeout=20)


def test_cell_of_more_than_30_seconds(long_cell: tuple[DrivenKernel, Run]) -> None:
    """A cell is given up after 30 s by default while its workers run on."""
    kernel, cell = long_cell
    run = kernel.finish(cell)
    assert run.reply["status"] == "ok"
    assert run.read() == "slept 0\n[1] slept 1\n"
