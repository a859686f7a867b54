"""A job in VS Code and in Colab, as far as their kernels can tell: widgets while it runs, a stop button, text in the end.

VS Code and Colab themselves are not run: these are kernels with what the two set in them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from choline_jupyter.magic.job_element import JOB
from choline_jupyter.magic.widget_meter import VIEW
from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.ssh.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ENVIRONMENTS = {"VS Code": {"VSCODE_PID": "1"}, "Colab": {"COLAB_RELEASE_TAG": "x", "JPY_SESSION_NAME": "/a.ipynb"}}
TRAINING = """
import time
for step in range(1, 6):
    print(f"step {step}/10 loss {1 / step:.3f}", flush=True)
print("told", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def kernel(request: pytest.FixtureRequest, isolation: Isolation) -> Iterator[DrivenKernel]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENTS[request.param].items():
            patch.setitem(isolation.environment, name, value)
        made = DrivenKernel(isolation)
    made.run(LOAD)
    yield made
    made.run("%choline stop --all --yes")
    made.close()


def write_cell(server: Server, code: str) -> str:
    return f"%%choline --host {server.address} --accept-host-key {server.fingerprint}\n{code}"


def find_view(run: Run) -> dict[str, Any] | None:
    """What is published for the widgets to be seen."""
    bundles = [message["content"]["data"] for message in run.find("display_data")]
    return next((bundle for bundle in bundles if VIEW in bundle), None)


def find_widgets(run: Run) -> dict[str, tuple[str, dict[str, Any]]]:
    """By their kinds: the comm and the state of each widget as a front end has them now."""
    kinds: dict[str, str] = {}
    states: dict[str, dict[str, Any]] = {}
    for message in run.find("comm_open", "comm_msg"):
        content = message["content"]
        state = content["data"].get("state", {})
        if message["msg_type"] == "comm_open" and state.get("_model_name", "").endswith(
            ("HTMLModel", "ButtonModel", "FloatProgressModel", "VBoxModel")
        ):
            kinds[state["_model_name"]] = content["comm_id"]
        states.setdefault(content["comm_id"], {}).update(state)
    return {kind: (comm, states[comm]) for kind, comm in kinds.items()}


def test_a_job_is_shown_by_widgets_and_interrupted_by_their_button(kernel: DrivenKernel, server: Server) -> None:
    run = kernel.start(write_cell(server, TRAINING))
    kernel.wait_for(lambda: find_view(run))
    view = find_view(run)
    assert view
    assert JOB not in view
    assert "runs for" in view["text/plain"]
    assert "<b>choline</b>" in view["text/html"]
    widgets = find_widgets(run)
    assert view[VIEW]["model_id"] == widgets["VBoxModel"][0]
    kernel.wait_for(lambda: find_widgets(run)["FloatProgressModel"][1]["value"] == 0.5)
    assert "step 5/10" in find_widgets(run)["HTMLModel"][1]["value"]
    press = kernel.start_comm(widgets["ButtonModel"][0], {"method": "custom", "content": {"event": "click"}})
    kernel.finish(run)
    assert run.reply["ename"] == "KeyboardInterrupt"
    kernel.finish(press)
    assert find_widgets(run)["ButtonModel"][1]["disabled"]
    opened = {message["content"]["comm_id"] for message in run.find("comm_open")}
    assert opened == {message["content"]["comm_id"] for message in run.find("comm_close")}
    last = run.find("update_display_data")[-1]["content"]["data"]
    assert last[JOB]
    assert "ran for" in last["text/plain"]
    assert VIEW not in last
    assert kernel.run(write_cell(server, "step")).read_result() == "5"  # its session keeps its names


def test_a_message_that_is_no_press_interrupts_nothing(kernel: DrivenKernel, server: Server) -> None:
    code = "import time\nprint('on', flush=True)\ntime.sleep(2.5)\n'to its end'"
    run = kernel.start(write_cell(server, code))
    kernel.wait_for(lambda: find_view(run))
    widgets = find_widgets(run)
    others = [
        kernel.start_comm(widgets["ButtonModel"][0], {"method": "custom", "content": {"event": "hover"}}),
        kernel.start_comm(widgets["ButtonModel"][0], {"method": "custom", "content": "click"}),
        kernel.start_comm(widgets["HTMLModel"][0], {"method": "custom", "content": {"event": "click"}}),
        kernel.start_comm("nobody", {"method": "custom", "content": {"event": "click"}}),
    ]
    assert kernel.finish(run).read_result() == "'to its end'"
    for other in others:
        kernel.finish(other)
    late = kernel.start_comm(widgets["ButtonModel"][0], {"method": "custom", "content": {"event": "click"}})
    kernel.finish(late)
    assert kernel.run(write_cell(server, "1 + 1")).read_result() == "2"


def test_cells_that_were_sent_meanwhile_run_in_their_order(kernel: DrivenKernel, server: Server) -> None:
    run = kernel.start(write_cell(server, TRAINING))
    following = [kernel.start(f"print({number})") for number in range(3)]
    kernel.wait_for(lambda: find_view(run))
    kernel.start_comm(find_widgets(run)["ButtonModel"][0], {"method": "custom", "content": {"event": "click"}})
    following += [kernel.start(f"print({number})") for number in range(3, 6)]
    kernel.finish(run)
    assert [kernel.finish(one).read() for one in following] == [f"{number}\n" for number in range(6)]


def test_without_ipywidgets_it_is_a_line_of_text(kernel: DrivenKernel, server: Server) -> None:
    kernel.run(
        "import sys\nkept = {n: sys.modules.pop(n) for n in list(sys.modules) if n.partition('.')[0] == 'ipywidgets'}"
    )
    kernel.run("sys.modules['ipywidgets'] = None")
    run = kernel.run(write_cell(server, "import time; time.sleep(2.5)"))
    assert find_view(run) is None
    assert JOB in run.find("display_data")[0]["content"]["data"]
    kernel.run("del sys.modules['ipywidgets']; sys.modules.update(kept)")


def test_in_jupyterlab_there_are_none(isolation: Isolation, server: Server) -> None:
    """A server that was started in a terminal of VS Code has VSCODE_PID, too; its kernels have a session's name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(isolation.environment, "VSCODE_PID", "1")
        patch.setitem(isolation.environment, "JPY_SESSION_NAME", "/a.ipynb")
        kernel = DrivenKernel(isolation, sys.executable)
    kernel.run(LOAD)
    run = kernel.run(write_cell(server, "import time; time.sleep(1.5)"))
    assert find_view(run) is None
    assert run.find("comm_open") == []
    assert JOB in run.find("display_data")[0]["content"]["data"]
    kernel.run("%choline stop --all --yes")
    kernel.close()
