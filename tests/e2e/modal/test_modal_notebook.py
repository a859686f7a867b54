"""A notebook that rents a sandbox with one line, and is gone: the whole product, but for Modal itself."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.losses.agent_processes import wait_until
from tests.fakes.modal_servicer.cloud import ModalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def kill_all(user: Isolation) -> None:
    """The laptop is gone: kernel and keeper, without a word. Not this process, in which the cloud is."""
    for process in user.find_processes():
        if process.pid != os.getpid() and psutil.pid_exists(process.pid):
            process.send_signal(signal.SIGKILL)


def test_a_cell_with_a_line_on_top_rents_runs_and_leaves_nothing_behind(user: Isolation, cloud: ModalCloud) -> None:
    kernel = DrivenKernel(user)
    kernel.run(LOAD)
    run = kernel.run(
        "%%choline --gpu a100 --provider modal --budget 2 --lease 10s --hold 1s\nprint('over there')\n6 * 7"
    )
    assert "over there\n" in run.read()
    assert run.read_result() == "42"
    assert "modal" in run.read("stderr")
    [rental] = cloud.list_alive()
    assert rental.offer == "A100-40GB"
    kill_all(user)
    wait_until(lambda: not cloud.list_alive())
    kernel.close()
