"""Variables come home: after a cell with `--out`, or when they are asked for; what cannot come is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import HEAD

pytestmark = pytest.mark.e2e

GET = "%choline get "


def run(kernel: DrivenKernel, code: str) -> Run:
    """Run a cell that must succeed without a word of ours."""
    done = kernel.run(code)
    assert done.reply["status"] == "ok", done.read_error()
    assert done.read("stderr") == ""
    return done


KINDS = {
    "data": ("{'loss': [1.5, float('inf')], (1, 2): {3}}", "v", "{'loss': [1.5, inf], (1, 2): {3}}"),
    "array": ("np.eye(2, dtype='f4')", "v.dtype.str, float(v.sum())", "('<f4', 2.0)"),
    "tensor": ("torch.ones(2).bfloat16()", "v.dtype, len(v)", "(torch.bfloat16, 2)"),
    "state": ("torch.nn.Linear(2, 1).state_dict()", "type(v).__name__, list(v)", "('OrderedDict', ['weight', 'bias'])"),
    "frame": ("pd.DataFrame({'a': [1, None], 's': ['x', 'y']})", "v.shape, v.s[1]", "((2, 2), 'y')"),
    "large": ("np.arange(1_000_000)", "int(v.sum()), v.flags.writeable", "(499999500000, True)"),
    "long-list": ("list(range(500_000))", "len(v), v[-1]", "(500000, 499999)"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_comes_home(kernel: DrivenKernel, kind: str) -> None:
    there, expression, result = KINDS[kind]
    imports = "import numpy as np, pandas as pd, torch"
    run(kernel, f"%%choline --out v\n{imports}\nv = {there}")
    assert run(kernel, expression).read_result() == result
    run(kernel, f"{HEAD}{imports}\nv = None; v = {there}")
    run(kernel, GET + "v")
    assert run(kernel, expression).read_result() == result


def test_several_come_at_once(kernel: DrivenKernel) -> None:
    run(kernel, "%%choline --out one,two\none = 1; two = [2]; three = 3")
    assert run(kernel, "one, two, 'three' in globals()").read_result() == "(1, [2], False)"
    run(kernel, GET + "three two")
    assert run(kernel, "three").read_result() == "3"


def test_what_is_not_there_is_said_and_the_rest_comes(kernel: DrivenKernel) -> None:
    run(kernel, HEAD + "here = 5")
    done = kernel.run(GET + "nowhere here")
    assert done.read("stderr") == "choline: There is no nowhere in the session.\n"
    assert run(kernel, "here").read_result() == "5"


@pytest.mark.parametrize("line", ["%%choline --out a-b\n1", "%choline get a.b", "%choline get", "%%choline --out ,\n1"])
def test_what_is_no_name_is_refused(kernel: DrivenKernel, line: str) -> None:
    done = kernel.run(line)
    assert done.reply["status"] == "error"
    assert "name" in done.read_error().lower()


def test_a_failing_cell_brings_what_it_has_made(kernel: DrivenKernel) -> None:
    done = kernel.run("%%choline --out history\nhistory = [1, 2]\n1 / 0")
    assert done.reply["ename"] == "ZeroDivisionError"
    assert run(kernel, "history").read_result() == "[1, 2]"


def test_what_has_no_safe_form_is_shown_by_a_stand_in(kernel: DrivenKernel) -> None:
    done = kernel.run("%%choline --out model\nimport torch\nmodel = torch.nn.Linear(2, 1)")
    assert "model stays in the session: it is an object of type torch.nn" in done.read("stderr")
    assert "state_dict()" in done.read("stderr")
    shown = run(kernel, "model").read_result()
    assert shown.startswith("<model is in the session, not here")
    assert "Linear(in_features=2, out_features=1, bias=True)" in shown
    assert "only shows it" in kernel.run("model.weight").read_error()
    assert "cannot be pickled" in kernel.run("import pickle; pickle.dumps(model)").read_error()
    assert run(kernel, HEAD + "model.in_features").read_result() == "2"  # the stand-in was not sent over it


def test_a_value_of_this_side_is_not_given_up_for_a_stand_in(kernel: DrivenKernel) -> None:
    run(kernel, "kept = 1")
    run(kernel, HEAD + "import threading; kept = threading.Lock()")
    assert "The one that is here is kept" in kernel.run(GET + "kept").read("stderr")
    assert kernel.run("kept").read_result() == "1"


def test_classes_of_the_session_are_not_made_here(kernel: DrivenKernel) -> None:
    run(kernel, "class Twin:\n    def __init__(self): self.made = 'here'")
    done = kernel.run("%%choline --out twin\ntwin = Twin()")
    assert "twin stays in the session: it is an object of type Twin" in done.read("stderr")


def test_what_came_is_not_sent_back(kernel: DrivenKernel) -> None:
    run(kernel, "%%choline --out big\nimport numpy as np\nbig = np.zeros(200_000); first = id(big)")
    assert run(kernel, HEAD + "id(big) == first").read_result() == "True"
    run(kernel, "big[0] = 7")
    assert run(kernel, HEAD + "float(big[0])").read_result() == "7.0"  # what has changed here since does go


def test_a_name_that_is_older_here_is_said_once(kernel: DrivenKernel) -> None:
    run(kernel, "stale = 1\nother = 2")
    run(kernel, HEAD + "stale += 1")
    run(kernel, "other")
    done = kernel.run("print(stale)")
    assert (
        done.read("stderr")
        == "choline: stale here is older than the session's; `%choline get stale` brings that one.\n"
    )
    assert done.read() == "1\n"
    run(kernel, "stale")
    run(kernel, HEAD + "stale = 3")
    run(kernel, GET + "stale")
    assert run(kernel, "stale").read_result() == "3"
    run(kernel, HEAD + "stale = 4")
    run(kernel, "stale = 5\nstale")
    assert run(kernel, HEAD + "stale").read_result() == "5"


def test_modules_are_never_older(kernel: DrivenKernel) -> None:
    run(kernel, "import json as j\nfrom math import sqrt")
    run(kernel, HEAD + "import json as j\nfrom math import sqrt")
    run(kernel, "j, sqrt")


def test_a_name_that_only_the_session_has_says_how_to_bring_it(kernel: DrivenKernel) -> None:
    run(kernel, HEAD + "over_there = 1")
    done = kernel.run("over_there")
    assert done.reply["ename"] == "NameError"
    assert "`%choline get over_there` brings it here" in done.read("stderr")


def test_results_of_a_detached_cell_are_told_of_when_it_is_attached_to(kernel: DrivenKernel) -> None:
    run(kernel, "%%choline --detach --out late\nlate = 11")
    run(kernel, "%choline attach")
    assert run(kernel, "late").read_result() == "11"
    done = kernel.run("late = 12\n%choline attach")
    assert "`%choline get late` brings them here" in done.read("stderr")
    assert run(kernel, "late").read_result() == "12"


def test_get_waits_for_its_turn(kernel: DrivenKernel, isolation: Isolation) -> None:
    gate = isolation.folder / "gate"
    run(
        kernel,
        f"%%choline --detach\nimport os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)\nturn = 1",
    )
    asked = kernel.start(GET + "turn")
    kernel.wait_for(lambda: "waits for its turn" in asked.read("stderr"))
    gate.touch()
    assert kernel.finish(asked).reply["status"] == "ok"
    assert run(kernel, "turn").read_result() == "1"


def test_nothing_is_left_behind(kernel: DrivenKernel, isolation: Isolation) -> None:
    run(kernel, "%%choline --out heap\nheap = bytes(3_000_000)")
    run(kernel, HEAD + "1")
    left = [
        Path(isolation.environment[home]) / folder
        for home, folder in (("CHOLINE_HOME", "inbox"), ("CHOLINE_AGENT_HOME", "blobs"))
    ]
    assert [path for folder in left for path in folder.iterdir()] == []
