"""Whatever a rank does, the others report, every name stays, and the next cell works."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation

pytestmark = pytest.mark.e2e
CHECK = "%%choline\ny = torch.ones(1); dist.all_reduce(y); y.item(), kept"


def keep(kernel: DrivenKernel) -> None:
    kernel.run("%%choline\nkept = 7")


def expect_whole(kernel: DrivenKernel) -> Run:
    """The group works on both ranks and each has its names."""
    run = kernel.run(CHECK)
    assert run.read_result() == "(2.0, 7)"
    assert "[1]" not in run.read()
    return run


def test_rank_that_raises(kernel: DrivenKernel) -> None:
    keep(kernel)
    run = kernel.run("%%choline\nif RANK == 1: raise ValueError('boom')\ndist.all_reduce(x)")
    assert run.reply["ename"] == "ValueError"
    assert "choline: rank 0 waited in all_reduce (cell line 2) and was freed." in run.read("stderr")
    assert "made anew" in expect_whole(kernel).read("stderr")


def test_rank_that_exits(kernel: DrivenKernel) -> None:
    keep(kernel)
    run = kernel.run("%%choline\nimport sys\nif RANK == 1: sys.exit(3)\ndist.barrier()")
    assert run.reply["ename"] == "SystemExit"
    expect_whole(kernel)


def test_rank_that_ends_early(kernel: DrivenKernel) -> None:
    """An uneven last batch: one more collective on one rank than on the other."""
    keep(kernel)
    run = kernel.run("%%choline\nfor _ in range(3 - RANK): dist.all_reduce(x)")
    assert run.reply["status"] == "error"
    assert "rank 1 ended its cell; rank 0 waits in all_reduce (cell line 1) in vain" in run.read("stderr")
    expect_whole(kernel)


def test_collective_of_some_ranks_only(kernel: DrivenKernel) -> None:
    keep(kernel)
    run = kernel.run("%%choline --on 0\ndist.barrier()")
    assert "rank 1 does not run this cell; rank 0 waits in barrier" in run.read("stderr")
    expect_whole(kernel)


def test_straggler_is_named(kernel: DrivenKernel) -> None:
    keep(kernel)
    cell = kernel.start("%%choline\nif RANK == 1:\n    while True: time.sleep(0.01)\ndist.all_reduce(x)")
    kernel.wait_for(lambda: "has not reached" in cell.read("stderr"))
    kernel.interrupt()
    run = kernel.finish(cell)
    assert "choline: rank 1 has not reached all_reduce for" in run.read("stderr")
    assert "rank 0 waits at cell line 3" in run.read("stderr")
    assert run.reply["ename"] == "KeyboardInterrupt"
    expect_whole(kernel)


def test_interrupt_where_all_wait(kernel: DrivenKernel) -> None:
    """Both ranks wait in gloo, in different calls, so neither frees the other by leaving."""
    keep(kernel)
    cell = kernel.start("%%choline\nif RANK: dist.recv(x, src=0)\nelse: dist.barrier()")
    kernel.wait_for(lambda: "in different calls" in cell.read("stderr"))
    kernel.interrupt()
    assert kernel.finish(cell).reply["status"] == "error"
    expect_whole(kernel)


def test_rank_that_is_killed(kernel: DrivenKernel) -> None:
    keep(kernel)
    kernel.run("here = 11")
    kernel.run("%%choline\nhere")
    run = kernel.run("%%choline\nif RANK == 1: os.kill(os.getpid(), 9)\ndist.all_reduce(x)")
    assert run.reply["ename"] == "KernelDied"
    assert "rank 1" in run.reply["evalue"].lower()
    assert kernel.run("%%choline --on 0\nkept").read_result() == "7"
    run = kernel.run("%%choline\nhere")
    assert (run.reply["status"], run.read_result()) == ("ok", "11")
    assert kernel.run("%%choline\n'kept' in globals()").read() == "[1] Out: False\n"
    kernel.run(
        "%%choline\nimport os, time, torch, torch.distributed as dist\nRANK = int(os.environ['RANK']); x = torch.ones(2)"
    )
    keep(kernel)
    expect_whole(kernel)


def test_supervisor_that_is_killed(kernel: DrivenKernel, isolation: Isolation) -> None:
    """The next one takes over a job that all ranks run, and hears its end."""
    keep(kernel)
    cell = kernel.start("%%choline\nprint('begun', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\nRANK")
    kernel.wait_for(lambda: "begun" in cell.read())
    for process in isolation.find_agent():
        if "supervise" in process.cmdline():
            process.send_signal(signal.SIGKILL)
    (isolation.folder / "go").touch()
    run = kernel.finish(cell)
    assert run.read_result() == "0"
    assert "[1] Out: 1" in run.read()
    expect_whole(kernel)
