"""Several ranks in a session that has none of this machine's files: one workspace, unpacked once, announced once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def kernel(isolation: Isolation) -> Iterator[DrivenKernel]:
    """A kernel in a project with a module and a data file."""
    (isolation.folder / "helper.py").write_text("def double(text): return text * 2\n")
    (isolation.folder / "data.txt").write_text("ab")
    made = DrivenKernel(isolation)
    made.run(LOAD)
    yield made
    made.run("%choline stop --all --yes")
    made.close()


def test_files_are_there_for_every_rank(kernel: DrivenKernel) -> None:
    code = "import helper, os\nprint(helper.double(open('data.txt').read()), os.environ['RANK'])"
    run = kernel.run(f"%%choline --isolated --ranks 2\n{code}")
    assert run.reply["status"] == "ok"
    assert run.read() == "abab 0\n[1] abab 1\n"


def test_files_of_every_rank_come_home(kernel: DrivenKernel, isolation: Isolation) -> None:
    kernel.run("%%choline --isolated --ranks 2\nwith open(f'out{os.environ[\"RANK\"]}.txt', 'w') as f: f.write('made')")
    assert [(isolation.folder / f"out{rank}.txt").read_text() for rank in (0, 1)] == ["made", "made"]


def test_cell_that_fails_before_the_others_begin(kernel: DrivenKernel, isolation: Isolation) -> None:
    (isolation.folder / "data.txt").write_text("cd")
    code = "if os.environ['RANK'] == '0': raise ValueError('first')\nprint(open('data.txt').read())"
    run = kernel.run(f"%%choline --isolated --ranks 2\n{code}")
    assert run.reply["ename"] == "ValueError"
    assert run.read() == "[1] cd\n"
