"""What users and measurements hold against ipyparallel's `%%px`, each as a test that a cell on several ranks passes.

Those that other files of this folder test already are listed, with these, in docs/ranks.md.
"""

from __future__ import annotations

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_failed_rank_does_not_freeze_a_barrier(kernel: DrivenKernel) -> None:
    """One worker fails, a barrier holds up all others, and the cell freezes for ever (ipyparallel#435)."""
    run = kernel.run("%%choline\nif RANK == 1: raise RuntimeError('failed')\ndist.barrier()")
    assert run.reply["ename"] == "RuntimeError"
    assert "rank 0 waited in barrier (cell line 2) and was freed" in run.read("stderr")
    assert kernel.run("%%choline\ny = torch.ones(1); dist.all_reduce(y); y.item()").read_result() == "2.0"


def test_interrupt_breaks_a_collective(kernel: DrivenKernel) -> None:
    """The interrupt's signal does not break a collective: engines stay hung in it."""
    cell = kernel.start("%%choline\nif RANK: dist.recv(x, src=0)\nelse: dist.barrier()")
    kernel.wait_for(lambda: "in different calls" in cell.read("stderr"))
    kernel.interrupt()
    assert kernel.finish(cell).reply["status"] == "error"
    assert kernel.run("%%choline\ny = torch.ones(1); dist.all_reduce(y); y.item()").read_result() == "2.0"


def test_output_before_an_error(kernel: DrivenKernel) -> None:
    """What was printed before an error is not shown (ipyparallel#661)."""
    run = kernel.run("%%choline\nprint('before', RANK)\nraise RuntimeError('stop here')")
    assert run.read() == "before 0\n[1] before 1\n"
    assert run.reply["ename"] == "RuntimeError"


def test_output_comes_while_the_cell_runs(kernel: DrivenKernel) -> None:
    """Output is shown only when the cell has ended, or nothing at all (ipython#4395)."""
    cell = kernel.start("%%choline\nprint('early', flush=True)\nwhile not os.path.exists('seen'): time.sleep(0.01)")
    kernel.wait_for(lambda: "early" in cell.read())
    assert not cell.reply
    (kernel.folder / "seen").touch()
    assert kernel.finish(cell).reply["status"] == "ok"


def test_cell_waits_for_its_ranks(kernel: DrivenKernel) -> None:
    """A cell returns before its engines are done, unless a setting says otherwise (`view.block`)."""
    kernel.run("%%choline\ntime.sleep(0.2 * RANK)\nopen(f'done{RANK}', 'w').close()")
    assert kernel.run("import os; sorted(name for name in os.listdir() if name.startswith('done'))").read_result() == (
        "['done0', 'done1']"
    )


def test_print_in_a_child_process(kernel: DrivenKernel) -> None:
    """`print` in a `multiprocessing.Process` ends the engine (ipyparallel#836)."""
    code = (
        "%%choline\nimport multiprocessing\nchild = multiprocessing.get_context('fork').Process(target=print, args=(42,))\n"
        "child.start(); child.join(); child.exitcode"
    )
    run = kernel.run(code)
    assert run.read_result() == "0"
    assert "42" in run.read()
    assert kernel.run("%%choline\n1 + 1").read_result() == "2"


def test_crash_is_noticed(kernel: DrivenKernel) -> None:
    """An engine that crashes is still listed and its work waited for (ipyparallel#322)."""
    run = kernel.run("%%choline\nimport ctypes\nif RANK == 1: ctypes.string_at(0)\ndist.barrier()")
    assert run.reply["ename"] == "KernelDied"
    assert "Rank 1" in run.reply["evalue"]
    assert kernel.run("%%choline\n1 + 1").read_result() == "2"
