"""The stop button: the cell ends at once as a local one would, its names are kept, the next cell runs."""

from __future__ import annotations

import psutil
import pytest

from tests.e2e.kernels.driven_kernel import PATIENCE, DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import HEAD, Pair
from tests.e2e.kernels.transcript import describe, expect_same

pytestmark = pytest.mark.e2e

SLEEP = """
import time
reached = 1
print("sleeping", flush=True)
while True:
    reached += 1
    time.sleep(0.01)
"""
CAUGHT = """
try:
    print("sleeping", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("caught")
finally:
    print("cleaned up")
"""
AWAIT = """
import asyncio
print("sleeping", flush=True)
await asyncio.sleep(600)
"""
OPENING = """
print("sleeping", flush=True)
get_ipython().run_cell_magic("choline", "--session fresh", "import time; time.sleep(600)")
"""
# What the shell prints is read by IPython's loop that hands Ctrl-C on; before that loop, IPython itself loses it.
SHELL = """
!echo sleeping; sleep 612
"""


def interrupt(kernel: DrivenKernel, code: str) -> Run:
    """Run a cell that says that it sleeps, and interrupt it then."""
    run = kernel.start(code.strip("\n"))
    kernel.wait_for(lambda: "sleeping" in run.read())
    kernel.interrupt()
    return kernel.finish(run)


def interrupt_both(pair: Pair, code: str) -> tuple[Run, Run]:
    return interrupt(pair.plain, code.strip("\n")), interrupt(pair.local, HEAD + code.strip("\n"))


def interrupt_question(kernel: DrivenKernel, code: str) -> Run:
    run = kernel.start(code)
    kernel.wait_for(lambda: run.questions)
    kernel.interrupt()
    return kernel.finish(run)


def test_sleeping_cell(pair: Pair) -> None:
    plain, remote = interrupt_both(pair, SLEEP)
    # Where in the loop it was is chance; what is said of it is not.
    assert (remote.reply["status"], remote.reply["ename"]) == ("error", "KeyboardInterrupt")
    assert [m["msg_type"] for m in remote.messages] == [m["msg_type"] for m in plain.messages] == ["stream", "error"]
    assert "choline" not in str(remote.reply["traceback"])
    pair.compare("reached > 0")


def test_cell_that_catches_it(pair: Pair) -> None:
    plain, remote = interrupt_both(pair, CAUGHT)
    expect_same(describe(plain), describe(remote))
    assert remote.read() == "sleeping\ncaught\ncleaned up\n"


def test_awaiting_cell(pair: Pair) -> None:
    """ipykernel itself notices it at the loop's next event, whenever that is; here it is noticed at once."""
    remote = interrupt(pair.local, HEAD + AWAIT.strip("\n"))
    assert remote.reply["ename"] in {"CancelledError", "KeyboardInterrupt"}
    pair.plain.run("pass")
    pair.compare("'the next cell'")


def is_sleep(process: psutil.Process) -> bool:
    try:
        return process.name() == "sleep"
    except psutil.NoSuchProcess:
        return False


def test_shell_command_ends_with_its_cell(pair: Pair, isolation: Isolation) -> None:
    plain, remote = interrupt_both(pair, SHELL)
    assert remote.reply["status"] == plain.reply["status"]
    pair.compare("_exit_code != 0")
    sleeping = [process for process in isolation.find_processes() if is_sleep(process)]
    assert not psutil.wait_procs(sleeping, timeout=PATIENCE)[1]


def test_while_it_asks(pair: Pair) -> None:
    stories = []
    for kernel, head in ((pair.plain, ""), (pair.local, HEAD)):
        stories.append(interrupt_question(kernel, head + "answer = input('Well? ')"))
    plain, remote = stories
    assert (remote.reply["status"], remote.reply["ename"]) == (plain.reply["status"], plain.reply["ename"])
    pair.compare("input('Again? ')", ["yes"])
    pair.compare("'answer' in globals()")


def test_before_the_first_cell_of_a_session_has_begun(kernel: DrivenKernel) -> None:
    assert interrupt(kernel, OPENING).reply["status"] == "error"
    assert kernel.run("%%choline --session fresh\n2 + 2").reply["status"] == "ok"


def test_interrupt_verb(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline --session aside --detach\nimport time\nkept = 1\nprint('sleeping')\ntime.sleep(600)")
    assert run.reply["status"] == "ok"
    kernel.wait_for(lambda: "sleeping" in str(run.messages + kernel.others))
    assert "Interrupted" in kernel.run("%choline interrupt").read()
    after = kernel.run("%%choline --session aside\nkept")
    assert after.read_result() == "1"
