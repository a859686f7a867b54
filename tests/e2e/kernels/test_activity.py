"""Values are looked at again whenever code of the notebook's own can have changed them, and only then."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.pair import HEAD

pytestmark = pytest.mark.e2e

_COUNT = """
from choline_jupyter.capture import names
looks, find_digest = [], names.Item.find_digest
def count(item):
    looks.append(item.name)
    return find_digest(item)
names.Item.find_digest = count
values = [1]
"""


@pytest.fixture(scope="module")
def counting(kernel: DrivenKernel) -> DrivenKernel:
    """A notebook that notes which of its values are looked at."""
    assert kernel.run(_COUNT).reply["status"] == "ok"
    return kernel


def count_looks(kernel: DrivenKernel) -> int:
    return int(kernel.run("looks.count('values'), looks.clear()").read_result().partition(",")[0].lstrip("("))


def test_while_only_remote_cells_run_a_value_is_looked_at_once(counting: DrivenKernel) -> None:
    for _ in range(3):
        assert counting.run(HEAD + "values").read_result() == "[1]"
    assert count_looks(counting) == 1


def test_after_a_cell_of_this_side_it_is_looked_at_again(counting: DrivenKernel) -> None:
    counting.run(HEAD + "values")
    counting.run("values.append(2)")
    assert counting.run(HEAD + "values").read_result() == "[1, 2]"
    counting.run(HEAD + "values")
    assert count_looks(counting) == 2


def test_a_value_on_the_magics_own_line_counts_as_code(counting: DrivenKernel) -> None:
    counting.run(HEAD + "values")
    counting.run("%%choline --session {(values.append(3), '" + "x')[1]}\n1")
    run = counting.run("%%choline\nvalues")
    assert "[1, 2, 3]" in run.read_result()
    count_looks(counting)


def test_a_thread_of_the_notebooks_may_change_it_at_any_time(counting: DrivenKernel) -> None:
    counting.run(
        "import threading, queue\nasks, done = queue.Queue(), queue.Queue()\n"
        "def work():\n    while (ask := asks.get()) is not None:\n        values.append(ask)\n        done.put(1)\n"
        "worker = threading.Thread(target=work)\nworker.start()\nvalues[:] = [1]"
    )
    assert counting.run("%%choline --session again\nvalues").read_result() == "[1]"
    # the answer to the cell's question is what lets the thread go on while no cell of this side runs
    counting.run(
        "builtin, kernel = get_ipython().kernel.raw_input, get_ipython().kernel\n"
        "kernel.raw_input = lambda prompt='': (asks.put(7), done.get(), 'x')[2]"
    )
    counting.run("%%choline --session again\nvalues")
    counting.run("%%choline --session again\ninput()")
    assert counting.run("%%choline --session again\nvalues").read_result() == "[1, 7]"
    counting.run("kernel.raw_input = builtin\nasks.put(None)\nworker.join()")


def test_a_task_of_the_notebooks_may_change_it_too(counting: DrivenKernel) -> None:
    counting.run(
        "import asyncio\nvalues[:] = [1]\nend = asyncio.Event()\n"
        "async def tick():\n    while not end.is_set():\n        values[0] += 1\n        await asyncio.sleep(0)\n"
        "task = asyncio.create_task(tick())"
    )
    first, second = (int(counting.run(HEAD + "values[0]").read_result()) for _ in range(2))
    assert second > first
    counting.run("end.set()\nawait task")
    count_looks(counting)
    counting.run(HEAD + "values")
    counting.run(HEAD + "values")
    assert count_looks(counting) == 1
