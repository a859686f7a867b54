"""Output of threads and tasks that go on after their cell has ended."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Message
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


def read(messages: list[Message], parent: str) -> str:
    """Text and displays that were put out below a request after its end."""
    mine = [m["content"] for m in messages if m["parent_header"].get("msg_id") == parent]
    return "".join(content.get("text", "") or content.get("data", {}).get("text/plain", "") for content in mine)


def test_threads_write_into_their_own_cell(pair: Pair) -> None:
    texts = []
    for kernel, head in ((pair.plain, ""), (pair.local, HEAD)):
        first = kernel.run(head + THREAD.strip("\n"))
        assert first.read() == "started\n"
        later = kernel.run(head + "go.set(), gone.wait(60)\nprint('the later cell')")
        assert "the later cell" in later.read()
        kernel.wait_for(lambda k=kernel, f=first: "shown" in read(k.others, f.msg_id) + str(later.messages))
        texts.append(read(kernel.others, first.msg_id))
    assert texts[1] == texts[0]


def test_output_arrives_while_no_cell_runs(kernel: DrivenKernel) -> None:
    first = kernel.run(HEAD + THREAD.strip("\n") + "\nthreading.Timer(0.3, go.set).start()")
    kernel.wait_for(lambda: "shown from the background" in read(kernel.others, first.msg_id))
    expected = "".join(f"background {n}\n" for n in range(5)) + "shown from the background"
    assert read(kernel.others, first.msg_id) == expected


def test_tasks_of_the_kernel_s_loop(pair: Pair) -> None:
    for kernel, head in ((pair.plain, ""), (pair.local, HEAD)):
        first = kernel.run(head + TASK.strip("\n"))
        kernel.wait_for(lambda k=kernel, f=first: read(k.others, f.msg_id) == "tick\n")


def test_background_output_while_a_local_cell_runs(kernel: DrivenKernel) -> None:
    first = kernel.run(HEAD + THREAD.strip("\n") + "\nthreading.Timer(0.2, go.set).start()")
    kernel.run("import time; time.sleep(1)")
    kernel.wait_for(lambda: "shown from the background" in read(kernel.others, first.msg_id))
