"""What a cell took of its machine, in one line: GPUs by a libnvidia-ml that replays figures, processes elsewhere."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

# Until the telemetry has looked: how soon its thread gets the processor is nobody's promise.
LOOK = "import time\nwhile get_ipython().kernel.telemetry._samples.count < 1: time.sleep(0.01)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the replayed library lies, and an `nvidia-smi` that lists its GPUs."""
    made = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).with_name("libnvidia_ml.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-nostdlib", "-o", made / "libnvidia-ml.so.1", source], check=True)
    (made / "nvidia-smi").write_text("#!/bin/sh\n" + "echo 'Replayed, 76294, 29755, 87, 999.9'\n" * 2)
    (made / "nvidia-smi").chmod(0o755)
    return made


def make_kernel(isolation: Isolation) -> DrivenKernel:
    isolation.environment["CHOLINE_TELEMETRY_SECONDS"] = "0.5"
    made = DrivenKernel(isolation)
    made.run(LOAD)
    return made


@pytest.fixture(scope="module")
def gpus(folder: Path) -> Iterator[DrivenKernel]:
    """A notebook on a machine with two GPUs."""
    isolation = Isolation()
    isolation.environment["LD_LIBRARY_PATH"] = str(folder)
    isolation.environment["PATH"] = f"{folder}:{isolation.environment['PATH']}"
    made = make_kernel(isolation)
    yield made
    made.run("%choline stop --all --yes")
    made.close()
    isolation.close()


@pytest.fixture(scope="module")
def processors() -> Iterator[DrivenKernel]:
    """A notebook on a machine without."""
    isolation = Isolation()
    made = make_kernel(isolation)
    yield made
    made.run("%choline stop --all --yes")
    made.close()
    isolation.close()


def test_gpu_of_each_rank(gpus: DrivenKernel) -> None:
    run = gpus.run(f"%%choline --ranks 2\n{LOOK}")
    assert "choline: GPU 0: peak 31.2 of 80 GB, busy 87 %, 412 W; GPU 1: peak 32.2 of 80 GB, busy 80 %.\n" in run.read(
        "stderr"
    )


def test_gpu_of_one_kernel(gpus: DrivenKernel) -> None:
    run = gpus.run(f"%%choline --session one --ranks 1\n{LOOK}")
    assert "choline: GPU 0: peak 31.2 of 80 GB, busy 87 %, 412 W.\n" in run.read("stderr")


def test_visible_gpu_is_meant(gpus: DrivenKernel) -> None:
    """As CUDA counts, whether by number or by name."""
    run = gpus.run(
        "%%choline --session pinned --ranks 1\n"
        "import os\nfrom choline_jupyter.agent.kernel.telemetry import find_gpu\n"
        "found = []\n"
        "for os.environ['CUDA_VISIBLE_DEVICES'] in ('1', 'GPU-second', '1,0', '', '7', 'GPU-other'):\n"
        "    gpu = find_gpu(0); found.append(gpu and gpu.summarize([])['index'])\n"
        "found"
    )
    assert run.read_result() == "[1, 1, 1, None, None, None]"


def test_sweep_gives_each_job_a_gpu_of_its_own(gpus: DrivenKernel) -> None:
    """Two GPUs, so two sessions without being asked for; each sees one."""
    run = gpus.run("%%choline --sweep number=1,2\nimport os\nnumber * 10 + int(os.environ['CUDA_VISIBLE_DEVICES'])")
    assert run.reply["status"] == "ok", run.read_error()
    assert gpus.run("[(row['value'], row['where']) for row in _.results()]").read_result() == (
        "[(10.0, 'here, GPU 0'), (21.0, 'here, GPU 1')]"
    )


def test_processes_of_ranks(processors: DrivenKernel) -> None:
    run = processors.run(f"%%choline --ranks 2\n{LOOK}")
    text = run.read("stderr")
    assert "rank" in text
    assert " MB, processor " in text
    assert "% busy" in text


def test_one_kernel_of_another_machine(processors: DrivenKernel) -> None:
    """An isolated session is told of as a host is; without a number, as there is one kernel."""
    run = processors.run(f"%%choline --isolated --ranks 1\n{LOOK}")
    assert "choline: peak " in run.read("stderr")
    assert "rank" not in run.read("stderr")


def test_cell_here_says_nothing(processors: DrivenKernel) -> None:
    """One kernel on this machine, without a GPU, is as a local cell."""
    run = processors.run(f"%%choline --session plain --ranks 1\n{LOOK}")
    assert run.reply["status"] == "ok"
    assert "peak" not in run.read("stderr")
