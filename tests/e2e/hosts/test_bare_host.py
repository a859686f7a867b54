"""A bare old Debian without Internet: from nothing to the first output, and back to nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.hosts.conftest import MakeHost
from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.hosts.host import Host

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MakeKernel = Callable[[Host], DrivenKernel]


def test_the_first_cell_needs_no_other_step(make_host: MakeHost, make_kernel: MakeKernel) -> None:
    host = make_host()
    kernel = make_kernel(host)
    head = f"%%choline --host {host.find_address('anna')}\n"
    run = kernel.run(head + "import getpass, platform\nprint(getpass.getuser(), platform.python_version())")
    assert run.read() == "anna 3.9.2\n", run.read("stderr")
    assert "come through your machine" in run.read("stderr")
    told = kernel.run(f"%choline doctor --host {host.find_address('anna')}").read()
    assert "no ensurepip" in told
    assert kernel.run("%%choline\n!pip --version").read().startswith("pip ")
    kernel.run(f"%choline stop --purge --host {host.find_address('anna')} --yes")
    host.wait_for_silence("anna")
    left = host.run("find", "/home/anna", "/tmp", "/run", "-user", "anna", "-newer", "/etc/ssh/test_config").split()
    assert [path for path in left if "choline" in path] == []


def test_users_do_not_disturb_each_other(make_host: MakeHost, make_kernel: MakeKernel) -> None:
    """Two users of one host, with sessions of the same name, at the same time; one of them stops."""
    host = make_host()
    host.add_user("ben")
    kernels = {name: make_kernel(host) for name in ("anna", "ben")}
    code = "import getpass, os, time\nprint(getpass.getuser(), flush=True)\nmine = os.getpid()"
    started = [
        kernel.start(f"%%choline --host {host.find_address(name)} --session both\n{code}")
        for name, kernel in kernels.items()
    ]
    runs = [kernel.finish(run) for kernel, run in zip(kernels.values(), started, strict=True)]
    assert [run.read() for run in runs] == ["anna\n", "ben\n"]
    kernels["anna"].run("%choline stop --all --yes")
    host.wait_for_silence("anna")
    assert kernels["ben"].run("%%choline\nmine == os.getpid()").read_result() == "True"
    assert host.run("sh", "-c", "su anna -c 'ls /home/ben/.cache /tmp/choline-1001' 2>&1 || true").count("denied") == 1


def test_a_second_notebook_of_the_user_has_its_own_session(make_host: MakeHost, make_kernel: MakeKernel) -> None:
    host = make_host()
    first, second = make_kernel(host), make_kernel(host)
    head = f"%%choline --host {host.find_address('anna')}\n"
    first.run(head + "kept = 1")
    assert second.run(head + "'kept' in globals()").read_result() == "False"
    second.run("%choline stop --all --yes")
    assert first.run(head + "kept").read_result() == "1"


def test_a_reboot_is_said_and_the_next_cell_works(make_host: MakeHost, make_kernel: MakeKernel) -> None:
    host = make_host()
    kernel = make_kernel(host)
    head = f"%%choline --host {host.find_address('anna')}\n"
    run = kernel.start(head + "import time\nkept = 1\nprint('begun', flush=True)\ntime.sleep(600)")
    kernel.wait_for(lambda: "begun" in run.read())
    host.stop()
    host.start()
    assert kernel.finish(run).reply["status"] == "error"
    assert "restarted" in run.read_error()
    assert kernel.run(head + "'kept' in globals()").read_result() == "False"
