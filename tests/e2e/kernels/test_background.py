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


def test_a_thread_that_writes_while_a_later_cell_runs(pair: Pair) -> None:
    """Which cell it goes to is ipykernel's decision (not the same in all versions): here it is the same as there."""
    pair.compare(THREAD)
    pair.compare("go.set(), gone.wait(60)\nprint('the later cell')")


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
