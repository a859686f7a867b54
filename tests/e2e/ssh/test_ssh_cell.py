"""`%%choline --host`: a host that has never seen choline prints from the first cell on, and its identity is checked."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.ssh.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_an_unknown_host_is_refused_with_its_fingerprint(kernel: DrivenKernel, server: Server) -> None:
    run = kernel.run(f"%%choline --host {server.address}\n1+1", allow_stdin=False)
    assert run.reply["status"] == "error"
    assert f"--accept-host-key {server.fingerprint}" in run.reply["evalue"]
    assert not (server.home / "cache").exists(), "something was sent to a host that had not proved itself"


def test_a_wrong_fingerprint_is_not_accepted(kernel: DrivenKernel, server: Server) -> None:
    wrong = "SHA256:" + "A" * 43
    run = kernel.run(f"%%choline --host {server.address} --accept-host-key {wrong}\n1+1", allow_stdin=False)
    assert server.fingerprint in run.reply["evalue"]
    assert not (server.home / "cache").exists()


def test_the_right_fingerprint_is_asked_for_in_the_cell_and_the_first_cell_runs(
    kernel: DrivenKernel, server: Server
) -> None:
    run = kernel.run(f"%%choline --host {server.address}\nimport os\nos.environ['HOME']", ["yes"])
    assert [server.fingerprint in question["content"]["prompt"] for question in run.questions] == [True]
    assert str(server.home) in str(run.find("execute_result")[0]["content"]["data"])


def test_a_cell_without_options_stays_on_the_host(kernel: DrivenKernel, server: Server) -> None:
    kernel.run(f"%%choline --host {server.address}\nkept = 41")
    run = kernel.run("%%choline\nprint(kept + 1, 'SSH_CONNECTION' in os.environ)")
    assert run.read() == "42 True\n"


def test_names_of_the_notebook_go_along(kernel: DrivenKernel, server: Server) -> None:
    kernel.run("import numpy as np\nscale, big = 3, np.arange(3_000_000)\ndef scaled(x):\n    return x * scale")
    run = kernel.run(f"%%choline --host {server.address}\nscaled(2), int(big[-1]), 'SSH_CONNECTION' in os.environ")
    assert run.read_result() == "(6, 2999999, True)"


def test_no_line_is_lost_or_doubled_when_the_connection_is_cut_again_and_again(
    kernel: DrivenKernel, server: Server
) -> None:
    code = "import time\nfor i in range(300):\n    print(i, flush=True)\n    time.sleep(0.01)"
    started = kernel.start(f"%%choline --host {server.address}\n{code}")
    for _ in range(5):
        _wait_for_lines(kernel, started, 10)
        server.cut()
    run = kernel.finish(started)
    assert run.read().split() == [str(i) for i in range(300)]


def test_the_server_may_be_started_anew_while_a_cell_runs(kernel: DrivenKernel, server: Server) -> None:
    code = "for i in range(200):\n    print(i, flush=True)\n    time.sleep(0.01)"
    started = kernel.start(f"%%choline --host {server.address}\n{code}")
    _wait_for_lines(kernel, started, 5)
    server.stop()
    server.start()
    assert kernel.finish(started).read().split() == [str(i) for i in range(200)]


def test_another_host_key_stops_everything(kernel: DrivenKernel, server: Server, isolation: Isolation) -> None:
    kernel.run("%choline stop --all --yes")
    server.use_key("other_key")
    second = DrivenKernel(isolation)
    second.run(LOAD)
    run = second.run(f"%%choline --host {server.address}\n1+1", allow_stdin=False)
    second.close()
    server.use_key("host_key")
    assert "has another host key than before; nothing was sent to it." in run.reply["evalue"]


def test_an_alias_with_a_proxy_command_is_a_host_like_any_other(kernel: DrivenKernel, server: Server) -> None:
    options = f"--host behind-a-proxy --accept-host-key {server.fingerprint}"
    run = kernel.run(f"%%choline {options}\nimport os\nprint(os.environ['HOME'])", allow_stdin=False)
    assert run.read() == f"{server.home}\n"


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("no-such-host.invalid", "does not resolve"),
        ("127.0.0.1:1", "refuses the connection"),
        ("-oProxyCommand=true", "is not of the form"),
        ("a@b@c", "is not of the form"),
    ],
)
def test_a_wrong_address_is_told_in_two_sentences(kernel: DrivenKernel, host: str, said: str) -> None:
    run = kernel.run(f"%%choline --host={host}\n1+1", allow_stdin=False)
    assert said in run.reply["evalue"]
    assert len(run.find("error")[0]["content"]["traceback"]) == 2


def test_a_user_who_may_not_log_in_is_told_so(kernel: DrivenKernel, server: Server) -> None:
    run = kernel.run(f"%%choline --host nobody-such@127.0.0.1:{server.port}\n1+1", allow_stdin=False)
    assert "does not let this user in" in run.reply["evalue"]


def _wait_for_lines(kernel: DrivenKernel, run: Run, count: int) -> None:
    """Until so many more lines have arrived."""
    before = run.read().count("\n")
    kernel.wait_for(lambda: run.read().count("\n") >= before + count)
