"""A host that has none of the notebook's files, and a user there who may write only at home."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.e2e.hosts.conftest import MakeHost
from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.pair import HEAD
from tests.hosts.host import Host

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MakeKernel = Callable[[Host], DrivenKernel]

SCRIPT = """
import sys, model
print(model.scale(int(open(sys.argv[1]).read())))
open('result.txt', 'w').write('from there')
"""


def test_a_project_goes_along_and_its_results_come_home(make_host: MakeHost, make_kernel: MakeKernel) -> None:
    host = make_host()
    kernel = make_kernel(host)
    project = kernel.folder
    (project / "model.py").write_text("def scale(x):\n    return 10 * x\n")
    (project / "data").mkdir()
    (project / "data/number.txt").write_text("4")
    (project / "run.py").write_text(SCRIPT)
    head = f"%%choline --host {host.find_address('anna')}\n"
    run = kernel.run(head + "import os, model\nos.getcwd(), model.scale(int(open('data/number.txt').read()))")
    assert run.reply["status"] == "ok", run.read("stderr") + run.read_error()
    assert run.read_result() == repr((str(project), 40)), run.read("stderr")
    assert "cannot be made" not in run.read("stderr")

    (project / "model.py").write_text("def scale(x):\n    return -x\n")
    assert kernel.run(HEAD + "model.scale(1)").read_result() == "-1"
    kernel.run(HEAD + "open('out.txt', 'w').write('from there')")
    assert (project / "out.txt").read_text() == "from there"

    kernel.run(f"!{sys.executable} -m choline_jupyter run.py --host {host.find_address('anna')} -- data/number.txt")
    assert (project / "result.txt").read_text() == "from there"

    kernel.run("%choline stop --all --yes")
    host.wait_for_silence("anna")
    left = host.run("find", "/home/anna", "/srv", "-name", "model.py").split()
    assert [path for path in left if "/environments/" not in path] == []
