"""A sweep goes on without the kernel that has started it, balances what waits, and gives a new kernel what the dead one had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.sweep.test_sweeps import read_table

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def local(isolation: Isolation) -> Iterator[DrivenKernel]:
    """A notebook that uses this machine only."""
    made = DrivenKernel(isolation)
    made.run(LOAD)
    yield made
    made.run("%choline stop --all --yes")
    made.close()


def test_kernel_that_is_killed(isolation: Isolation) -> None:
    """What was sent runs on; another kernel shows it and sees it to its end."""
    first = DrivenKernel(isolation)
    first.run(LOAD)
    started = first.run(
        "%%choline --sweep number=1,2,3 --sweep word=a,b --parallel 1 --detach\n"
        "import os, time\n"
        "print(f'step {number} loss {number} {word}', flush=True)\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "number * 2"
    )
    first.kill()
    assert started.reply["status"] == "ok", started.read_error()
    second = DrivenKernel(isolation)
    try:
        second.run(LOAD)
        cell = second.start("%choline attach w-")
        second.wait_for(lambda: cell.find("display_data", "error"))
        assert not cell.find("error"), cell.read_error()
        title = read_table(cell)[0]
        assert "1 running, 5 queued" in title
        (isolation.folder / "go").touch()
        run = second.finish(cell)
        assert run.reply["status"] == "ok", run.read_error()
        title, head, *rows = read_table(run)
        assert "6 done; best loss 1 with number=1 word='a'" in title
        assert head.split()[1:3] == ["number", "word"]
        assert [row.split()[1] for row in rows] == ["1", "1", "2", "2", "3", "3"]
    finally:
        second.run("%choline stop --all --yes")
        second.close()
        (isolation.folder / "go").unlink(missing_ok=True)


def test_idle_session_takes_over_what_waits(local: DrivenKernel) -> None:
    """Job 1 ends when job 3 has, which waits behind it in the same session until the other one is idle."""
    run = local.run(
        "%%choline --sweep number=1,2,3 --parallel 2\n"
        "import os, time\n"
        "while number == 1 and not os.path.exists('third'): time.sleep(0.01)\n"
        "if number == 3: open('third', 'w').close()"
    )
    assert "3 done" in read_table(run)[0]


def test_kernel_that_dies_of_a_job(local: DrivenKernel) -> None:
    """Those that waited for it run in the next one, which has the notebook's names, too."""
    local.run("base = 100")
    run = local.run(
        "%%choline --sweep number=1,2,3 --parallel 1\nimport os\nif number == 1: os._exit(7)\nbase + number"
    )
    title, _, *rows = read_table(run)
    assert "2 done, 1 failed; best result 102" in title
    assert "The kernel left with exit status 7." in rows[0]


def test_host_that_cannot_be_reached(local: DrivenKernel) -> None:
    """It is said, and the others do its part."""
    run = local.run("%%choline --sweep number=1,2 --over here,nowhere.invalid\nnumber")
    assert "nowhere.invalid takes no part" in run.read("stderr")
    assert "2 done" in read_table(run)[0]


def test_jobs_of_several_ranks(local: DrivenKernel) -> None:
    """What rank 0 says counts."""
    run = local.run(
        "%%choline --sweep number=1,2 --ranks 2\nimport os\nprint(number)\nnumber * 10 + int(os.environ['RANK'])"
    )
    assert "2 done; best result 10 with number=1" in read_table(run)[0]


def test_cell_with_a_magic(local: DrivenKernel) -> None:
    run = local.run("%%choline --sweep number=1,2 --parallel 1\n%pwd\nnumber = 7\nnumber * 2")
    assert "2 done; best result 2 with number=1" in read_table(run)[0]


def test_stop_of_a_detached_sweep(local: DrivenKernel) -> None:
    local.run("%%choline --sweep number=1,2 --parallel 1 --detach\nwhile True: number")
    local.run("running = _")
    local.run("running.stop()")
    assert "2 cancelled" in local.run("running").read_result()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--sweep nubmer=1,2", "Did you mean number?"),
        ("--sweep number=", "has no values"),
        ("--sweep number=1 --sweep number=2", "twice"),
        ("--sweep number=1,1", "twice"),
        ("--sweep other=1,2", "Line 2 sets other in a way"),
        ("--sweep number=1,2 --out number", "--out is for one job"),
        ("--sweep number=1,2 --over nowhere.invalid", "nowhere.invalid"),
        ("--sweep number=1,2 --parallel 1000", "at most 64"),
    ],
)
def test_what_cannot_be(local: DrivenKernel, line: str, said: str) -> None:
    run = local.run(f"%%choline {line}\nnumber = 1\nfor other in []: pass", allow_stdin=False)
    assert run.reply["status"] == "error"
    assert said in run.reply["evalue"]


def test_nothing_is_left(isolation: Isolation, local: DrivenKernel) -> None:
    assert "No session is open" in local.run("%choline status").read()
    assert not list(Path(isolation.environment["CHOLINE_HOME"]).glob("outbox/*"))
