"""Kernels that end in mid-cell: one clear sentence, and a session that starts again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.pair import HEAD, Pair

pytestmark = pytest.mark.e2e

CGROUPS = Path("/sys/fs/cgroup")
LIMIT = 300 << 20


def run(kernel: DrivenKernel, code: str) -> Run:
    return kernel.run(HEAD + code)


def expect_death(ran: Run, kind: str, *words: str) -> None:
    """The cell failed with one sentence on what happened and one on what to do, and nothing of ours."""
    assert (ran.reply["status"], ran.reply["ename"]) == ("error", kind)
    text = ran.read_error()
    assert all(word in text for word in words), text
    assert "Run the cell again" in text
    assert "Traceback" not in text
    assert "File " not in text


def expect_restart(kernel: DrivenKernel) -> None:
    after = run(kernel, "'kept' in globals()")
    assert after.read_result() == "False"
    assert "started anew" in after.read("stderr")
    again = run(kernel, "'second'")
    assert again.read_result() == "'second'"
    assert again.read("stderr") == ""


def test_sys_exit_is_no_death(pair: Pair) -> None:
    pair.compare("kept = 1\nimport sys; sys.exit(3)")
    pair.compare("kept")


def test_abort(kernel: DrivenKernel) -> None:
    ran = run(kernel, "kept = 1\nprint('before', flush=True)\nimport os; os.abort()")
    assert ran.read() == "before\n"
    expect_death(ran, "KernelDied", "SIGABRT")
    expect_restart(kernel)


def test_os_exit(kernel: DrivenKernel) -> None:
    expect_death(run(kernel, "import os; os._exit(7)"), "KernelDied", "status 7")
    expect_restart(kernel)


def test_segmentation_fault(kernel: DrivenKernel) -> None:
    expect_death(run(kernel, "import ctypes; ctypes.string_at(0)"), "KernelDied", "SIGSEGV")
    expect_restart(kernel)


def test_exit_ends_the_session_s_kernel_only(kernel: DrivenKernel) -> None:
    kernel.run("here = 1")
    pid = int(run(kernel, "import os; kept = os.getpid(); kept").read_result())
    assert run(kernel, "exit").reply["status"] == "ok"
    wait_for_end(pid)
    expect_restart(kernel)
    assert kernel.run("here").reply["status"] == "ok"


def test_death_between_cells(kernel: DrivenKernel) -> None:
    pid = int(run(kernel, "import os; kept = os.getpid(); kept").read_result())
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    expect_restart(kernel)


def wait_for_end(pid: int) -> None:
    try:
        psutil.Process(pid).wait(30)
    except psutil.NoSuchProcess:
        pass


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A control group of the operating system with little memory, as containers have."""
    made = next(filter(None, map(make_group, (CGROUPS, CGROUPS / "memory"))), None)
    if made is None:
        pytest.skip("needs a kernel feature: a memory control group that can be made here")
    yield made
    made.rmdir()


def make_group(parent: Path) -> Path | None:
    """Version 2 at the hierarchy's root, version 1 below `memory`; None where this one is not that."""
    group = parent / f"choline-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        return None
    limits = [group / name for name in ("memory.max", "memory.limit_in_bytes") if (group / name).exists()]
    try:
        limits[0].write_text(str(LIMIT))
    except (OSError, IndexError):
        group.rmdir()
        return None
    swap = group / "memory.swap.max"
    if swap.exists():
        swap.write_text("0")
    return group


def test_out_of_memory(kernel: DrivenKernel, memory_group: Path) -> None:
    pid = int(run(kernel, "import os; kept = 1; os.getpid()").read_result())
    (memory_group / "cgroup.procs").write_text(str(pid))
    ran = run(kernel, "print('filling', flush=True)\nblocks = [bytearray(b'x') * (1 << 20) for _ in range(2000)]")
    assert ran.read() == "filling\n"
    expect_death(ran, "OutOfMemory", "ran out of memory")
    expect_restart(kernel)
