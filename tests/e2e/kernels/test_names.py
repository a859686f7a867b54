"""Names of the notebook's own kernel go along with a cell that reads them: the last writer wins, on both sides."""

from __future__ import annotations

import re

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import HEAD

pytestmark = pytest.mark.e2e


def there(kernel: DrivenKernel, code: str) -> str:
    """The result of a remote cell."""
    return kernel.run(HEAD + code).read_result()


@pytest.mark.parametrize(
    ("here", "code", "result"),
    [
        pytest.param("n = 3", "n + 1", "4", id="number"),
        pytest.param("table = {'a': [1, (2, {3})]}", "table", "{'a': [1, (2, {3})]}", id="containers"),
        pytest.param("import math as m", "m.sqrt(4)", "2.0", id="module"),
        pytest.param("import os.path", "os.path.join('a', 'b')", "'a/b'", id="submodule"),
        pytest.param("from collections import Counter", "Counter('aab')['a']", "2", id="from-import"),
        pytest.param("k = 5\ndef f(x):\n    return x * k", "f(2)", "10", id="function-and-its-global"),
        pytest.param("def g(): return f2() + 1\ndef f2(): return 1", "g()", "2", id="late-bound"),
        pytest.param("sq = lambda x: x * x", "sq(3)", "9", id="lambda"),
        pytest.param("class P:\n    def __init__(self, v): self.v = v\nclass Q(P): pass", "Q(4).v", "4", id="class"),
        pytest.param("import functools\n@functools.cache\ndef c(x): return x + 1", "c(1)", "2", id="decorated"),
        pytest.param("def h(x): return -x\nalias = h", "alias(2)", "-2", id="alias"),
        pytest.param("import numpy as np\na = np.arange(6).reshape(2, 3)", "int(a.sum()), a.shape", "(15, (2, 3))", id="array"),
        pytest.param("import torch\nt = torch.ones(2).bfloat16()", "t.dtype, len(t)", "(torch.bfloat16, 2)", id="tensor"),
        pytest.param("where = 2\nfor i in range(3): pass", "[where * j for j in range(i + 1)]", "[0, 2, 4]", id="comprehension"),
    ],
)  # fmt: skip
def test_a_name_goes_along(kernel: DrivenKernel, here: str, code: str, result: str) -> None:
    assert kernel.run(here).reply["status"] == "ok"
    assert there(kernel, code) == result


def test_the_last_writer_wins(kernel: DrivenKernel) -> None:
    kernel.run("x = 1")
    assert there(kernel, "x += 1; x") == "2"
    assert there(kernel, "x") == "2"
    kernel.run("x = 1")
    assert there(kernel, "x") == "1"
    kernel.run(HEAD + "x = 'there'")
    assert there(kernel, "x") == "'there'"
    assert kernel.run("x").read_result() == "1"


def test_what_changed_in_place_here_goes_again(kernel: DrivenKernel) -> None:
    kernel.run("grown = [1]")
    assert there(kernel, "grown") == "[1]"
    kernel.run("grown.append(2)")
    assert there(kernel, "grown") == "[1, 2]"


def test_what_changed_in_place_there_stays(kernel: DrivenKernel) -> None:
    kernel.run("shared = [1]")
    kernel.run(HEAD + "shared.append('there')")
    assert there(kernel, "shared") == "[1, 'there']"
    kernel.run("shared = [1]")
    assert there(kernel, "shared") == "[1]"


def test_an_edited_function_goes_again(kernel: DrivenKernel) -> None:
    kernel.run("def edited(): return 1")
    assert there(kernel, "edited()") == "1"
    kernel.run("def edited(): return 2")
    assert there(kernel, "edited()") == "2"


def test_what_cannot_go_is_said_once_with_the_way_out(kernel: DrivenKernel) -> None:
    kernel.run("import threading\nglobals()['lock'] = threading.Lock()")
    run = kernel.run(HEAD + "'lock' in globals() or lock")
    assert run.reply["ename"] == "NameError"
    assert "lock stays here: it is an object of type" in run.read("stderr")
    assert "%%choline cell" in run.read("stderr")
    assert "lock" not in kernel.run(HEAD + "'lock' in globals() or 1 or lock").read("stderr")


def test_names_that_are_not_read_do_not_go(kernel: DrivenKernel) -> None:
    kernel.run("unread = 1\nread = 2")
    assert there(kernel, "read, 'unread' in globals()") == "(2, False)"


def test_a_traceback_shows_the_lines_of_what_went_along(kernel: DrivenKernel) -> None:
    kernel.run("def breaks():\n    return 1 / 0")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", kernel.run(HEAD + "breaks()").read_error())
    assert "return 1 / 0" in plain


def test_a_large_array_goes_ahead(kernel: DrivenKernel) -> None:
    kernel.run("import numpy as np\nlarge = np.arange(4_000_000)")
    assert there(kernel, "int(large.sum())") == str(sum(range(4_000_000)))
    assert there(kernel, "large.nbytes") == "32000000"


def test_after_the_kernel_there_has_died_names_go_again(kernel: DrivenKernel) -> None:
    kernel.run("again = 7")
    assert there(kernel, "again") == "7"
    kernel.run(HEAD + "import os; os._exit(3)")
    assert there(kernel, "again") == "7"


def test_a_name_that_only_the_session_has_is_explained_here(kernel: DrivenKernel) -> None:
    kernel.run(HEAD + "only_there = 1")
    run = kernel.run("only_there")
    assert run.reply["ename"] == "NameError"
    assert "a %%choline cell has made only_there" in run.read("stderr")
    assert "choline" not in kernel.run("nowhere").read("stderr")


def test_what_has_no_form_is_made_anew_by_its_cells(kernel: DrivenKernel) -> None:
    kernel.run("import torch\nwidth = 3\nprint('shown here')")
    kernel.run("net = torch.nn.Linear(width, 1)\nprint('shown here')")
    kernel.run("steps = torch.optim.SGD(net.parameters(), lr=0.1)")
    run = kernel.run(HEAD + "steps.param_groups[0]['params'][0] is net.weight, net")
    assert run.read_result() == "(True, Linear(in_features=3, out_features=1, bias=True))"
    assert run.read() == ""
    assert "choline: net, steps: made anew in the session by running cells" in run.read("stderr")
    kernel.run(HEAD + "first = id(net)")
    again = kernel.run(HEAD + "id(net) == first")
    assert (again.read_result(), again.read("stderr")) == ("True", "")


def test_global_state_goes_along_once(kernel: DrivenKernel) -> None:
    kernel.run(
        "import numpy as np, os\nnp.random.seed(7)\nos.environ['CHOLINE_TRIED'] = 'yes'\nexpected = np.random.rand()"
    )
    assert there(kernel, "os.environ['CHOLINE_TRIED'], np.random.rand() == expected") == "('yes', True)"
    assert there(kernel, "np.random.rand() == expected") == "False"


def test_a_cell_that_fails_there_is_said(kernel: DrivenKernel) -> None:
    kernel.run("import os, threading\nhere = os.getpid()")
    kernel.run("def only_here():\n    return threading.Lock() if os.getpid() == here else 1 / 0\nguard = only_here()")
    run = kernel.run(HEAD + "guard")
    assert run.reply["ename"] == "NameError"
    assert "guard could not be made here: RuntimeError: cell" in run.read("stderr")


def test_making_anew_can_be_interrupted(kernel: DrivenKernel, isolation: Isolation) -> None:
    begun = isolation.folder / "begun"
    kernel.run(f"import os, pathlib, threading, time\nhere, begun = os.getpid(), pathlib.Path({str(begun)!r})")
    kernel.run("if os.getpid() != here:\n    begun.touch()\n    time.sleep(60)\nslow = threading.Lock()")
    cell = kernel.start(HEAD + "slow")
    kernel.wait_for(begun.exists)
    kernel.interrupt()
    assert kernel.finish(cell).reply["ename"] == "KeyboardInterrupt"
    assert there(kernel, "1 + 1") == "2"
