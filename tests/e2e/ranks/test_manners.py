"""Three ranks in one notebook: other amounts of text, other figures, bars, widgets and tracebacks are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def three(isolation: Isolation) -> Iterator[DrivenKernel]:
    """A notebook with three ranks, of plain Python: no group is made."""
    made = DrivenKernel(isolation)
    made.run(LOAD)
    run = made.run("%%choline --ranks 3\nimport os\nRANK = int(os.environ['RANK'])")
    assert run.reply["status"] == "ok", run.read_error()
    yield made
    made.run("%choline stop --all --yes")
    made.close()


def read_lines(run: Run, stream: str = "stdout") -> list[str]:
    return run.read(stream).splitlines()


def list_displays(run: Run, mime: str) -> list[tuple[Any, int]]:
    """The displays of a kind: their data, and the rank that is named with each (0 for none)."""
    shown = [message for message in run.find("display_data", "execute_result") if mime in message["content"]["data"]]
    return [
        (message["content"]["data"][mime], message["metadata"].get("choline", {}).get("rank", 0)) for message in shown
    ]


def test_cell_on_some_ranks(three: DrivenKernel) -> None:
    run = three.run("%%choline --on 0,2\nhere = True\nprint('rank', RANK)")
    assert read_lines(run) == ["rank 0", "[2] rank 2"]
    assert read_lines(three.run("%%choline\nprint('here' in globals())")) == ["True", "[1] False"]


def test_result_where_rank_0_does_not_run(three: DrivenKernel) -> None:
    run = three.run("%%choline --on 1-2\n'same'")
    assert read_lines(run) == ["[1-2] Out: 'same'"]


def test_ranks_that_print_different_amounts(three: DrivenKernel) -> None:
    """All lines of each are there, in its order, and none twice."""
    run = three.run("%%choline\nfor i in range(3 ** (RANK * 3)): print(f'{RANK}: {i}')")
    lines = read_lines(run)
    assert [line for line in lines if line.startswith("0: ")] == ["0: 0"]
    for rank in (1, 2):
        own = [line for line in lines if line.startswith(f"[{rank}] ")]
        assert own == [f"[{rank}] {rank}: {i}" for i in range(3 ** (rank * 3))]


def test_same_figure_is_shown_once(three: DrivenKernel) -> None:
    run = three.run("%%choline\n%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()")
    assert [rank for _, rank in list_displays(run, "image/png")] == [0]


def test_different_figures_name_their_ranks(three: DrivenKernel) -> None:
    run = three.run("%%choline\nplt.plot([RANK, 2]); plt.show()")
    figures = list_displays(run, "image/png")
    assert sorted(rank for _, rank in figures) == [0, 1, 2]
    assert len({data for data, _ in figures}) == 3


def test_figure_of_one_rank(three: DrivenKernel) -> None:
    run = three.run("%%choline\nif RANK == 1: plt.plot([1, 2]); plt.show()")
    assert [rank for _, rank in list_displays(run, "image/png")] == [1]


def test_bars_of_tqdm(three: DrivenKernel) -> None:
    """Every rank has one: rank 0's is shown, whatever the others' say of their pace."""
    run = three.run(
        "%%choline\nimport time\nfrom tqdm import tqdm\nfor _ in tqdm(range(4), mininterval=0): time.sleep(0.001 * (RANK + 1))"
    )
    assert "4/4" in run.read("stderr")
    assert "[1]" not in run.read("stderr")


def test_bars_as_widgets(three: DrivenKernel) -> None:
    """One bar, not one for each rank: at their start all say the same."""
    run = three.run("%%choline\nfrom tqdm.notebook import tqdm\nfor _ in tqdm(range(4)): pass\n'done'")
    assert run.reply["status"] == "ok"
    assert run.read_result() == "'done'"
    assert len(list_displays(run, "application/vnd.jupyter.widget-view+json")) == 1


def test_widget_of_rank_0(three: DrivenKernel) -> None:
    """A message from the page reaches the rank that has made the widget, and what its handler prints is shown."""
    run = three.run(
        "%%choline\nimport ipywidgets\nif RANK == 0:\n    slider = ipywidgets.IntSlider(3)\n"
        "    slider.observe(lambda change: print('moved to', change.new, RANK), 'value')\n    display(slider)"
    )
    [(view, _)] = list_displays(run, "application/vnd.jupyter.widget-view+json")
    data = {"method": "update", "state": {"value": 7}, "buffer_paths": []}
    moved = three.finish(three.start_comm(view["model_id"], data))
    assert moved.read() == "moved to 7 0\n"
    assert three.run("%%choline --on 0\nslider.value").read_result() == "7"


def test_tracebacks_are_grouped(three: DrivenKernel) -> None:
    """Two ranks fail alike, the third otherwise: two groups, each with its ranks."""
    run = three.run("%%choline\nif RANK == 1: raise KeyError('one')\nraise ValueError('two others')")
    assert run.reply["status"] == "error"
    heads = [line for line in read_lines(run, "stderr") if line.startswith("choline: rank")]
    assert sorted(heads) == ["choline: rank 1:", "choline: ranks 0,2:"]


def test_question_of_rank_0_only(three: DrivenKernel) -> None:
    run = three.run("%%choline\nif RANK == 0: print('got', input('which? '))", ["this"])
    assert len(run.questions) == 1
    assert run.read() == "got this\n"
