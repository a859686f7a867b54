"""A session moves to a host and back."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.ssh.server import Server
from tests.e2e.training.notebook import succeed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

MADE = """
import numpy as np
import threading
table = np.arange(400_000.0)
lock = threading.Lock()
open("made.txt", "w").write("by the cell")
"""
SEEN = "(float(table.sum()), lock.locked(), open('made.txt').read())"


def test_there_and_back(kernel: DrivenKernel, server: Server) -> None:
    succeed(kernel, "%%choline --session home\n" + MADE)
    moved = kernel.run(f"%choline move --host {server.address} --session away", ["yes"])
    assert moved.reply["status"] == "ok", moved.reply
    assert "carried 3.2 MB" in moved.read()
    assert succeed(kernel, "%%choline\n" + SEEN).read_result() == "(79999800000.0, False, 'by the cell')"
    where = succeed(kernel, "%%choline --no-pull\nimport os; open('left.txt', 'w').write('there')\nos.environ['HOME']")
    assert str(server.home) in where.read_result()
    succeed(kernel, "%choline move --provider local --session home")
    assert succeed(kernel, "%%choline\nopen('left.txt').read()").read_result() == "'there'"
    assert succeed(kernel, "%%choline\n" + SEEN).read_result() == "(79999800000.0, False, 'by the cell')"


def test_a_host_that_is_cut_off_while_it_takes_over(kernel: DrivenKernel, server: Server) -> None:
    succeed(kernel, "%%choline --provider local --session kept\nx = 7")
    started = kernel.start(f"%choline move --host {server.address} --session beyond")
    server.cut()
    kernel.finish(started)
    assert succeed(kernel, "%%choline\nx").read_result() == "7"
