"""`%choline VERB` in a notebook, and jobs that run on by themselves."""

from __future__ import annotations

import re

import psutil
import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD

pytestmark = pytest.mark.e2e

COUNT = """
import time
for n in range(5):
    print("line", n, flush=True)
    time.sleep(0.1)
"the result"
"""


QUESTIONS = """
from choline_jupyter.session.bridge import get_bridge
store = get_bridge().engine.store
sum(event.kind.name == "INPUT" for job in store.list_jobs(limit=1) for event in store.read_job(job.id))
"""


def detach(kernel: DrivenKernel, code: str, options: str = "") -> str:
    """Start a job and return its name."""
    run = kernel.run(f"%%choline --detach {options}\n{code.strip()}")
    match = re.search(r"j-[0-9a-z-]+", run.read())
    assert match, run.messages
    return match.group()


def test_bare_line_tells_what_there_is(kernel: DrivenKernel) -> None:
    text = kernel.run("%choline").read()
    assert all(word in text for word in ("usage", "--detach", "status", "attach", "logs", "stop", "doctor"))
    assert "usage" in kernel.run("%choline stop --help").read()
    assert re.match(r"choline \d", kernel.run("%choline --version").read())


def test_status(kernel: DrivenKernel) -> None:
    assert kernel.run("%%choline\n'shown in status'").reply["status"] == "ok"
    text = kernel.run("%choline status").read()
    assert "'shown in status'" in text
    assert "done" in text
    assert "local" in text


def test_doctor(kernel: DrivenKernel) -> None:
    text = kernel.run("%choline doctor").read()
    assert "ipykernel" in text
    assert "The agent runs" in text
    assert not [line for line in text.splitlines() if line.startswith("!")]


def test_detached_job_shows_in_its_own_cell_as_it_goes(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline --detach\n" + COUNT.strip())
    assert run.reply["status"] == "ok"
    kernel.wait_for(lambda: "the result" in kernel.read_others(run))
    assert "".join(f"line {n}\n" for n in range(5)) in run.read() + kernel.read_others(run)


def test_jobs_that_wait_run_in_their_order(kernel: DrivenKernel) -> None:
    detach(kernel, "import time\nbegun = ['first']\ntime.sleep(0.5)")
    for name in ("second", "third", "fourth"):
        detach(kernel, f"begun.append('{name}')")
    assert kernel.run("%%choline\nbegun").read_result() == "['first', 'second', 'third', 'fourth']"


def test_attach_shows_a_running_job_from_its_first_line(kernel: DrivenKernel) -> None:
    job = detach(kernel, COUNT)
    run = kernel.run(f"%choline attach {job}")
    assert run.read() == "".join(f"line {n}\n" for n in range(5))
    assert run.read_result() == "'the result'"


def test_attach_shows_a_job_that_is_over(kernel: DrivenKernel) -> None:
    kernel.run("%%choline\nprint('printed')\n6 * 7")
    run = kernel.run("%choline attach")
    assert (run.read(), run.read_result()) == ("printed\n", "42")


def test_attach_ends_as_the_job_did(kernel: DrivenKernel) -> None:
    job = detach(kernel, "print('before')\n1 / 0")
    run = kernel.run(f"%choline attach {job}")
    assert run.read() == "before\n"
    assert "ZeroDivisionError" in run.read_error()
    assert (run.reply["status"], run.reply["ename"]) == ("error", "ZeroDivisionError")


def test_a_detached_job_cannot_ask(kernel: DrivenKernel) -> None:
    job = detach(kernel, "input('Anybody? ')")
    assert kernel.run(f"%choline attach {job}").reply["ename"] == "StdinNotImplementedError"


def test_a_new_kernel_attaches_to_what_the_old_one_left(isolation: Isolation, kernel: DrivenKernel) -> None:
    old = DrivenKernel(isolation)
    old.run(LOAD)
    cell = old.start("%%choline --session survivor\nprint('before')\nprint('Hello', input('Who? '))\n6 * 7")
    old.wait_for(lambda: cell.questions)
    while kernel.run(QUESTIONS).read_result() != "1":  # the old kernel's store has the question
        pass
    old.kill()
    run = kernel.run("%choline attach", ["Eve"])
    assert (run.read(), run.read_result()) == ("before\nHello Eve\n", "42")
    again = kernel.run("%choline attach")
    assert (again.read(), again.read_result(), again.questions) == ("before\nHello Eve\n", "42", [])


def test_logs(kernel: DrivenKernel) -> None:
    job = detach(kernel, "import sys; print('out'); print('err', file=sys.stderr)\n1 + 1")
    kernel.run(f"%choline attach {job}")
    text = kernel.run(f"%choline logs {job}").read()
    assert all(word in text for word in ("out\n", "err\n", "2\n"))


def test_stop_ends_the_session_and_all_it_has_started(kernel: DrivenKernel) -> None:
    code = "import subprocess, os; child = subprocess.Popen(['sleep', '613']); os.getpid(), child.pid"
    pids = [int(pid) for pid in re.findall(r"\d+", kernel.run(f"%%choline --session ended\n{code}").read_result())]
    assert "Stopped ended" in kernel.run("%choline stop ended").read()
    assert not any(map(is_running, pids))
    assert kernel.run("%%choline --session ended\n'child' in globals()").read_result() == "False"


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("%choline attach j-nobody", "UnknownJob", "There is no job 'j-nobody'"),
        ("%choline logs j-nobody", "UnknownJob", "There is no job 'j-nobody'"),
        ("%choline logs", "RequestError", "needs a JOB"),
        ("%choline stop nobody", "UnknownSession", "There is no open session 'nobody'"),
        ("%choline stauts", "UnknownVerb", "Did you mean %choline status?"),
        ("%choline status --al", "UnknownOption", "--al"),
        ("%choline status status", "RequestError", "has no use for 'status'"),
        ("%choline stop --all somewhere", "RequestError", "not both"),
        ('%choline stop "open', "RequestError", "has no end"),
    ],
)
def test_mistakes(kernel: DrivenKernel, line: str, kind: str, words: str) -> None:
    expect_refusal(kernel.run(line), kind, words)


def expect_refusal(run: Run, kind: str, words: str) -> None:
    """One sentence on what happened, one on what to do, and no stack."""
    lines = run.read_error().splitlines()
    assert words in run.read_error()
    assert 1 < len(lines) <= 3
    assert (run.reply["status"], run.reply["ename"]) == ("error", kind)
