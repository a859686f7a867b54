"""Widgets of a cell that runs elsewhere, driven from the front end; the same messages as with a local kernel."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.pair import HEAD, Pair
from tests.e2e.kernels.transcript import describe, expect_same

pytestmark = pytest.mark.e2e

SLIDER = """
import ipywidgets
slider = ipywidgets.IntSlider(3, description="n")
label = ipywidgets.Label()
def follow(change):
    label.value = f"n is {change.new}"
slider.observe(follow, "value")
ipywidgets.VBox([slider, label])
"""
BUTTON = """
clicks = 0
button, out = ipywidgets.Button(description="go"), ipywidgets.Output()
def click(_):
    global clicks
    clicks += 1
    print("click", clicks, flush=True)
    display({"text/plain": "shown"}, raw=True)
    with out:
        print("inside")
    if clicks == 2:
        raise ValueError("in the handler")
button.on_click(click)
display(button, out)
"""
OUTPUT = """
box = ipywidgets.Output()
display(box)
with box:
    print("captured")
    display("shown")
print("outside")
box.append_stdout("appended")
"""
ANYWIDGET = """
import anywidget, traitlets
class Counter(anywidget.AnyWidget):
    _esm = "export default { render({ model, el }) { el.textContent = model.get('value') } }"
    value = traitlets.Int(0).tag(sync=True)
    data = traitlets.Bytes(b"").tag(sync=True)
counter = Counter()
counter.on_msg(lambda widget, content, buffers: widget.send({"answer": content}, [bytes(b) + b"!" for b in buffers]))
counter
"""
AWAITING = """
import asyncio
print("waiting", flush=True)
while slider.value != 9:
    await asyncio.sleep(0.01)
slider.value
"""
BUSY = """
import time
print("waiting", flush=True)
time.sleep(3)
slider.value
"""


def find_comm(run: Run, name: str) -> str:
    """The comm of the (last) widget with this model name."""
    opened = [m["content"] for m in run.find("comm_open")]
    return [str(c["comm_id"]) for c in opened if c["data"]["state"].get("_model_name") == name][-1]


def send(pair: Pair, shown: tuple[Run, Run], name: str, data: dict[str, Any], buffers: tuple[bytes, ...] = ()) -> Run:
    """The same message to a widget of both kernels; expects the same to come of it."""
    plain, remote = (
        kernel.finish(kernel.start_comm(find_comm(run, name), data, buffers))
        for kernel, run in zip((pair.plain, pair.local), shown, strict=True)
    )
    expect_same(describe(plain)["messages"], describe(remote)["messages"])
    return remote


def update(**state: object) -> dict[str, Any]:
    return {"method": "update", "state": state, "buffer_paths": []}


def show(pair: Pair, code: str) -> tuple[Run, Run]:
    plain, remote = pair.run(code)
    expect_same(describe(plain), describe(remote))
    return plain, remote


def test_slider(pair: Pair) -> None:
    shown = show(pair, SLIDER)
    moved = send(pair, shown, "IntSliderModel", update(value=7))
    assert "n is 7" in str([m["content"] for m in moved.find("comm_msg")])
    pair.compare("slider.value, label.value")
    pair.compare("slider.value = 5")
    pair.compare("label.value")
    send(pair, shown, "IntSliderModel", {"method": "request_state"})
    pair.compare("slider.close(); label.close()")


def test_button_and_what_its_handler_puts_out(pair: Pair) -> None:
    shown = show(pair, BUTTON)
    click = {"method": "custom", "content": {"event": "click"}}
    first = send(pair, shown, "ButtonModel", click)
    assert first.read() == "click 1\ninside\n"
    send(pair, shown, "ButtonModel", click)
    pair.compare("clicks")


def test_output_widget(pair: Pair) -> None:
    show(pair, OUTPUT)
    pair.compare("len(box.outputs)")


def test_anywidget_with_buffers(pair: Pair) -> None:
    shown = show(pair, ANYWIDGET)
    send(pair, shown, "AnyModel", update(value=4))
    bytes_update = {"method": "update", "state": {}, "buffer_paths": [["data"]]}
    send(pair, shown, "AnyModel", bytes_update, (b"\x00\xffbytes",))
    answered = send(pair, shown, "AnyModel", {"method": "custom", "content": {"x": 1}}, (b"sent",))
    assert [bytes(b) for m in answered.find("comm_msg") for b in m["buffers"]] == [b"sent!"]
    pair.compare("counter.value, counter.data")
    pair.compare("counter.data = bytes(range(256))")


def test_a_page_that_is_reloaded_finds_the_widgets(pair: Pair) -> None:
    """What a front end asks for then: the comms there are, and the state of each."""
    plain, remote = show(pair, "ipywidgets.FloatSlider(2.5)")
    for kernel, shown in ((pair.plain, plain), (pair.local, remote)):
        comm = find_comm(shown, "FloatSliderModel")
        assert kernel.list_comms()[comm] == {"target_name": "jupyter.widget"}
        state = kernel.finish(kernel.start_comm(comm, {"method": "request_state"})).find("comm_msg")
        assert state[0]["content"]["data"]["state"]["value"] == 2.5


def test_interact(pair: Pair) -> None:
    shown = show(pair, "@ipywidgets.interact(x=(0, 10))\ndef f(x=1):\n    print('x is', x)")
    send(pair, shown, "IntSliderModel", update(value=8))


@pytest.mark.parametrize("name", ["tqdm.auto", "tqdm.std"])
def test_tqdm(pair: Pair, name: str) -> None:
    code = f"from {name} import tqdm\nfor n in tqdm(range(3), mininterval=0, disable=False):\n    pass"
    plain, remote = (describe(run)["messages"] for run in pair.run(code))
    assert [m["type"] for m in remote] == [m["type"] for m in plain]
    assert "3/3" in str(remote)


def test_a_widget_moves_while_a_cell_awaits(pair: Pair) -> None:
    """JupyterLab sends comm messages through a subshell, so that they need not wait for the cell."""
    _, shown = show(pair, SLIDER)
    cell = start_waiting(pair.local, HEAD + AWAITING.strip("\n"))
    subshell = pair.local.create_subshell()
    for value in (4, 9):
        moved = pair.local.start_comm(find_comm(shown, "IntSliderModel"), update(value=value), subshell_id=subshell)
        assert f"n is {value}" in str(pair.local.finish(moved).messages)
    assert pair.local.finish(cell).read_result() == "9"
    pair.plain.run("pass")


def test_a_widget_that_is_moved_while_a_cell_is_busy_follows_afterwards(pair: Pair) -> None:
    stories = []
    for kernel, shown, head in zip((pair.plain, pair.local), show(pair, SLIDER), ("", HEAD), strict=True):
        cell = start_waiting(kernel, head + BUSY.strip("\n"))
        comm, subshell = find_comm(shown, "IntSliderModel"), kernel.create_subshell()
        moved = kernel.start_comm(comm, update(value=9), subshell_id=subshell)
        stories.append([describe(kernel.finish(cell)), describe(kernel.finish(moved))["messages"]])
    expect_same(*stories)
    pair.compare("slider.value")


def start_waiting(kernel: DrivenKernel, code: str) -> Run:
    """Start a cell and return when it has said that it waits."""
    cell = kernel.start(code)
    kernel.wait_for(lambda: "waiting" in cell.read())
    return cell


def test_widgets_of_a_kernel_that_has_ended_are_gone(kernel: DrivenKernel) -> None:
    shown = kernel.run("%%choline --session ended\nimport ipywidgets\nipywidgets.IntSlider()")
    comm = find_comm(shown, "IntSliderModel")
    assert comm in kernel.list_comms()
    kernel.run("%%choline --session ended\nimport os; os._exit(1)")
    assert comm not in kernel.list_comms()
