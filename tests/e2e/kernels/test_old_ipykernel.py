"""The oldest ipykernel and IPython that are promised, on both sides: the rows that everything else stands on."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import HEAD, LOAD, Pair
from tests.e2e.kernels.transcript import describe, expect_same

# The first run installs them.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

REQUIREMENTS = ("ipykernel==6.29.*", "ipython==8.12.*", "ipywidgets>=8", "jupyter_client>=8", "pathspec>=0.12")
METER = """
import time
from choline_jupyter.magic.widget_meter import make_meter
__vsc_ipynb_file__, pressed = "/a.ipynb", []
meter = make_meter(get_ipython(), lambda: pressed.append(1))
print(meter._button.model_id, flush=True)
while not meter.look():
    time.sleep(0.01)
meter.close()
print("pressed")
"""
SLIDER = """
import ipywidgets
slider = ipywidgets.IntSlider(3)
slider.observe(lambda change: print("moved to", change.new), "value")
slider
"""


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config) -> str:
    """An interpreter with them in an environment of its own, kept in pytest's cache."""
    key = hashlib.sha256(repr((sys.version, REQUIREMENTS)).encode()).hexdigest()[:12]
    cache = pytestconfig.cache
    assert cache is not None
    folder = cache.mkdir("environments") / f"ipykernel6-{key}"
    interpreter, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(interpreter), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        ready.touch()
    return str(interpreter)


@pytest.fixture(scope="module")
def old(isolation: Isolation, python: str) -> Iterator[Pair]:
    plain, local = DrivenKernel(isolation, python), DrivenKernel(isolation, python)
    plain.run(LOAD)
    local.run(LOAD)
    yield Pair(plain, local)
    local.run("%choline stop --all --yes")
    local.close()
    plain.close()


def test_these_are_the_old_ones(old: Pair) -> None:
    story = old.compare("import ipykernel, IPython; ipykernel.__version__, IPython.__version__")
    assert "('6.29." in str(story["messages"])


@pytest.mark.parametrize(
    ("code", "answers"),
    [
        pytest.param("import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr)", (), id="streams"),
        pytest.param("x = 5\nx * 2", (), id="result"),
        pytest.param("_ + x", (), id="last-result"),
        pytest.param("display(x, display_id='same')", (), id="display"),
        pytest.param(
            "from IPython.display import clear_output\nprint(1); clear_output(wait=True); print(2)", (), id="clear"
        ),
        pytest.param("def f():\n    return 1 / 0\nf()", (), id="error"),
        pytest.param("x = 'ä' +* 1", (), id="syntax-error"),
        pytest.param("%no_such_magic", (), id="usage-error"),
        pytest.param("raise ExceptionGroup('several', [ValueError(1)])", (), id="exception-group"),
        pytest.param("import asyncio\nawait asyncio.sleep(0, 'awaited')", (), id="await"),
        pytest.param("name = input('Who? ')\nname", ("Bob",), id="input"),
        pytest.param("!echo from the shell", (), id="shell"),
        pytest.param("len?", (), id="help"),
        pytest.param("import sys; sys.exit(2)", (), id="sys-exit"),
    ],
)
def test_row(old: Pair, code: str, answers: tuple[str, ...]) -> None:
    old.compare(code, answers)


def test_widget(old: Pair) -> None:
    plain, remote = old.run(SLIDER)
    expect_same(describe(plain), describe(remote))
    moves = []
    for kernel, shown in ((old.plain, plain), (old.local, remote)):
        comm = next(m["content"]["comm_id"] for m in shown.find("comm_open") if "IntSliderModel" in str(m["content"]))
        data = {"method": "update", "state": {"value": 7}, "buffer_paths": []}
        moves.append(describe(kernel.finish(kernel.start_comm(comm, data)))["messages"])
    expect_same(*moves)
    assert "moved to 7" in str(moves[1])
    old.compare("slider.value")


def test_the_stop_button_of_a_meter_is_seen_while_a_cell_runs(old: Pair) -> None:
    """Its kernel reads messages between cells only; it is made to look, and nothing that comes meanwhile is lost."""
    for kernel in (old.plain, old.local):
        before = kernel.list_comms()
        run = kernel.start(METER)
        kernel.wait_for(run.read)
        queued = [kernel.start("len(pressed)"), kernel.start("1 + 1")]
        press = kernel.start_comm(run.read().strip(), {"method": "custom", "content": {"event": "click"}})
        assert kernel.finish(run).read().endswith("pressed\n")
        assert [kernel.finish(one).read_result() for one in queued] == ["1", "2"]
        kernel.finish(press)
        assert kernel.list_comms() == before


def test_interrupt(old: Pair) -> None:
    run = old.local.start(HEAD + "import time\nkept = 1\nprint('sleeping', flush=True)\ntime.sleep(600)")
    old.local.wait_for(lambda: "sleeping" in run.read())
    old.local.interrupt()
    assert old.local.finish(run).reply["ename"] == "KeyboardInterrupt"
    assert old.local.run(HEAD + "kept").read_result() == "1"


def test_death(old: Pair) -> None:
    run = old.local.run(HEAD + "print('before', flush=True)\nimport os; os.abort()")
    assert run.read() == "before\n"
    assert "SIGABRT" in run.read_error()
    assert old.local.run(HEAD + "'kept' in globals()").read_result() == "False"
