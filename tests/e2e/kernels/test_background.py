"""Output of threads and tasks that go on after their cell has ended."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.pair import HEAD, Pair

pytestmark = pytest.mark.e2e

THREAD = """
import threading
from IPython.display import display
go, gone = threading.Event(), threading.Event()
def work():
    go.wait(60)
    for n in range(5):
        print("background", n, flush=True)
    display({"text/plain": "shown from the background"}, raw=True)
    gone.set()
threading.Thread(target=work).start()
print("started")
"""
TASK = """
import asyncio
async def tick():
    await asyncio.sleep(0.2)
    print("tick", flush=True)
task = asyncio.get_running_loop().create_task(tick())
"""


def test_threads_write_into_their_own_cell(pair: Pair) -> None:
    plain, remote = (run_thread(pair.plain, ""), run_thread(pair.local, HEAD))
    assert remote == plain


def run_thread(kernel: DrivenKernel, head: str) -> str:
    """Have a thread put something out while a later cell runs; returns what its own cell got."""
    first = kernel.run(head + THREAD.strip("\n"))
    assert first.read() == "started\n"
    later = kernel.run(head + "go.set(), gone.wait(60)\nprint('the later cell')")
    assert later.read() == "the later cell\n"
    kernel.wait_for(lambda: "shown" in kernel.read_others(first))
    return kernel.read_others(first)


def test_output_arrives_while_no_cell_runs(kernel: DrivenKernel) -> None:
    first = kernel.run(HEAD + THREAD.strip("\n") + "\nthreading.Timer(0.3, go.set).start()")
    kernel.wait_for(lambda: "shown from the background" in kernel.read_others(first))
    expected = "".join(f"background {n}\n" for n in range(5)) + "shown from the background"
    assert kernel.read_others(first) == expected


def test_tasks_of_the_kernel_s_loop(pair: Pair) -> None:
    plain, remote = pair.run(TASK)
    expect_tick(pair.plain, plain)
    expect_tick(pair.local, remote)


def expect_tick(kernel: DrivenKernel, run: Run) -> None:
    kernel.wait_for(lambda: kernel.read_others(run) == "tick\n")


def test_background_output_while_a_local_cell_runs(kernel: DrivenKernel) -> None:
    first = kernel.run(HEAD + THREAD.strip("\n") + "\nthreading.Timer(0.2, go.set).start()")
    kernel.run("import time; time.sleep(1)")
    kernel.wait_for(lambda: "shown from the background" in kernel.read_others(first))
