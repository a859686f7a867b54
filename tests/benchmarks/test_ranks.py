"""Several ranks: a warm cell, their start, and how soon a rank that waits in vain is free and the group usable again.

nbdistributed takes part where CHOLINE_BENCH_NBDISTRIBUTED names the folder that it is installed in. It is no dependency: its
workers unpickle whatever comes to a port that they open to everybody.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.home import Home
from tests.benchmarks.parallel_cluster import ParallelCluster
from tests.benchmarks.plain_kernel import PlainKernel
from tests.benchmarks.report import Goal, Report, Row
from tests.benchmarks.samples import Measure, choose, interleave

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Ranks"
RANKS = 4
WARM_UP = 10
TRIES = 100
READY = "import torch\nimport torch.distributed as dist\nx = torch.ones(1)\ndist.all_reduce(x)\nprint('ready')"
SCRIPT = "import torch\nimport torch.distributed as dist\ndist.init_process_group('gloo')\n" + READY
PEER = """import os, sys
sys.path.append({folder!r})
os.environ["PYTHONPATH"] += os.pathsep + {folder!r}
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
%load_ext nbdistributed
%dist_init -n {ranks}"""
STUCK = "%%choline\nif dist.get_rank() == 1: raise ValueError('boom')\ndist.all_reduce(x)"


@pytest.fixture
def ranks_notebook(home: Home) -> Iterator[PlainKernel]:
    """A notebook's kernel whose `%%choline` cells run on four ranks."""
    kernel = PlainKernel(home.environment)
    kernel.evaluate("%load_ext choline_jupyter")
    kernel.evaluate(f"%%choline --session ranks --ranks {RANKS}\n1+1")
    yield kernel
    kernel.close()


@pytest.fixture
def px_notebook(tmp_path: Path) -> Iterator[PlainKernel]:
    """A notebook's kernel whose `%%px` cells run on four engines."""
    cluster = ParallelCluster(tmp_path, RANKS)
    kernel = PlainKernel()
    kernel.evaluate(cluster.setup)
    yield kernel
    kernel.close()
    cluster.close()


@pytest.fixture
def distributed_notebook() -> Iterator[PlainKernel | None]:
    """A notebook's kernel with four workers of nbdistributed, where there is one."""
    folder = os.environ.get("CHOLINE_BENCH_NBDISTRIBUTED", "")
    if not folder:
        yield None
        return
    kernel = PlainKernel()
    kernel.evaluate(PEER.format(folder=folder, ranks=RANKS))
    workers = [process for process in psutil.process_iter() if _is_worker(process)]
    yield kernel
    kernel.close()  # its own way of ending ends other people's processes, too
    for worker in workers:
        worker.kill()


def measure(kernel: PlainKernel, code: str) -> Measure:
    for _ in range(WARM_UP):
        kernel.run(code)
    return lambda: {"done": kernel.run(code).done}


def test_warm_cell_on_four_ranks(
    report: Report,
    ranks_notebook: PlainKernel,
    px_notebook: PlainKernel,
    distributed_notebook: PlainKernel | None,
) -> None:
    paths = {"ours": measure(ranks_notebook, "%%choline\n1+1"), "px": measure(px_notebook, "%%px\n1+1")}
    if distributed_notebook:
        distributed_notebook.evaluate(f"%%distributed\nassert world_size == {RANKS}")
        paths["nbdistributed"] = measure(distributed_notebook, "%%distributed\n1+1")
    found = interleave(paths, rounds=choose(10, 3), repeats=10)
    what = f"`%%choline` cell on {RANKS} ranks, to the end"
    report.add(SECTION, Row(what, found["ours done"], found["px done"], "ipyparallel `%%px` cell", Goal(0.5)))
    if distributed_notebook:
        row = Row(what, found["ours done"], found["nbdistributed done"], "nbdistributed `%%distributed`", Goal(0.1))
        report.add(SECTION, row)


def test_start_of_two_ranks(report: Report, engine: EngineDriver, tmp_path: Path) -> None:
    """Until both have torch, a group, and the first collective behind them."""
    script = tmp_path / "ready.py"
    script.write_text(SCRIPT)
    spec = dataclasses.replace(engine._place, ranks=2)
    numbers = iter(range(10_000))

    def start_ours() -> Mapping[str, float]:
        name = f"start {next(numbers)}"
        with engine.visit(name, dataclasses.replace(spec, name=name)) as start:
            engine.run(READY)
            return {"start": time.perf_counter() - start}

    def start_torchrun() -> Mapping[str, float]:
        start = time.perf_counter()
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
        subprocess.run(command, check=True, capture_output=True)
        return {"start": time.perf_counter() - start}

    start_ours()
    found = interleave({"ours": start_ours, "torchrun": start_torchrun}, rounds=choose(5, 2))
    what = "start of 2 ranks, torch imported, first all_reduce done"
    report.add(SECTION, Row(what, found["ours start"], found["torchrun start"], "torchrun", Goal(0.1)))


def test_rank_that_waits_in_vain(report: Report, notebook: PlainKernel) -> None:
    """Rank 1 raises, rank 0 is in `all_reduce`: until both cells are over, that one and the next, which uses the group."""
    notebook.evaluate(f"%%choline --session stuck --ranks 2\n{READY}\nkept = dist.get_rank() + 7")
    check = "%%choline\nx = torch.ones(1); dist.all_reduce(x); (x.item(), kept - dist.get_rank())"

    def free() -> Mapping[str, float]:
        start = time.perf_counter()
        reply = notebook.client.execute_interactive(STUCK, stop_on_error=False, timeout=60, output_hook=_ignore)
        assert reply["content"]["ename"] == "ValueError"
        assert notebook.evaluate(check) == "(2.0, 7)"
        return {"free": time.perf_counter() - start}

    found = interleave({"ours": free}, rounds=choose(TRIES, 10))["ours free"]
    what = f"rank freed and group usable again, namespace intact ({len(found.values)} of {len(found.values)})"
    report.add(SECTION, Row(what, found, goal=Goal(500.0), note=f"p90 {found.find_quantile(0.9) * 1e3:.0f} ms"))
    notebook.evaluate("%choline stop --all --yes")


def _ignore(message: object) -> None:
    """What a cell puts out."""


def _is_worker(process: psutil.Process) -> bool:
    """A worker of nbdistributed that the notebook's kernel, our child, has started."""
    try:
        return any("nbdistributed" in part for part in process.cmdline()) and os.getpid() in (
            parent.pid for parent in process.parents()
        )
    except psutil.Error:
        return False
