"""Local cells that take the output of a `%%choline` cell for themselves: `%%capture`, `Output()`, code around it."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.pair import Pair
from tests.e2e.kernels.transcript import describe, expect_same

pytestmark = pytest.mark.e2e

CELL = """
import sys
from IPython.display import display
print("out")
print("err", file=sys.stderr)
display({"text/plain": "shown"}, raw=True)
6 * 7
"""
CONTENTS = """
[captured.stdout, captured.stderr, [(o.data, o.metadata) for o in captured.outputs]]
"""
LOCAL_OUTPUT = """
import ipywidgets
out = ipywidgets.Output()
with out:
    {0}
print("outside")
"""


@pytest.mark.parametrize("body", [pytest.param(CELL, id="output"), pytest.param("print(1)\n1 / 0", id="error")])
def test_captured(pair: Pair, body: str) -> None:
    plain = pair.plain.run("%%capture captured\n" + body.strip("\n"))
    remote = pair.local.run("%%capture captured\n%%choline\n" + body.strip("\n"))
    assert [m["msg_type"] for m in remote.messages] == [m["msg_type"] for m in plain.messages]
    assert remote.reply["status"] == plain.reply["status"]
    expect_same(*(describe(kernel.run(CONTENTS)) for kernel in (pair.plain, pair.local)))


def test_a_local_output_widget_takes_it(pair: Pair) -> None:
    code = "print('in the widget', flush=True)"
    plain = pair.plain.run(LOCAL_OUTPUT.format(code))
    remote = pair.local.run(LOCAL_OUTPUT.format(f"get_ipython().run_cell_magic('choline', '', {code!r})"))
    expect_same(describe(plain)["messages"], describe(remote)["messages"])


def test_output_goes_into_the_open_again_afterwards(pair: Pair) -> None:
    pair.compare("print('open')\n1 + 1")


def test_code_around_it_can_catch_the_error(kernel: DrivenKernel) -> None:
    run = kernel.run(
        "try:\n    get_ipython().run_cell_magic('choline', '', 'raise KeyError(5)')\n"
        "except Exception as error:\n    caught = type(error).__name__, str(error)\ncaught"
    )
    assert run.reply["status"] == "ok"
    assert run.read_result() == "('KeyError', '5')"
