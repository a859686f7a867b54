"""The command: scripts as jobs, verbs, exit statuses, and sentences instead of stacks."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import psutil
import pytest

from tests.cli.terminal import Terminal
from tests.e2e.kernels.driven_kernel import DrivenKernel

pytestmark = pytest.mark.e2e

LINGER = 40
JOB = re.compile(r"Job (j-[0-9a-z-]+) runs on by itself")


def test_a_script_gets_its_arguments_and_its_output_comes_back(terminal: Terminal) -> None:
    script = terminal.write("show.py", "import os, sys\nprint(sys.argv[1:], os.getcwd(), __name__)")
    ran = terminal.run(script, "--", "--lr", "0.1", "two words", "*")
    assert ran == (0, f"['--lr', '0.1', 'two words', '*'] {terminal.folder} __main__\n", "")


def test_both_streams_arrive_apart(terminal: Terminal) -> None:
    script = terminal.write("streams.py", "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('é☃')")
    assert terminal.run(script) == (0, "out\né☃\n", "err\n")


def test_what_is_piped_in_is_the_scripts_standard_input(terminal: Terminal) -> None:
    script = terminal.write("read.py", "import sys\nprint(input('? '), sys.stdin.read().split())")
    assert terminal.run(script, text="first\nsecond\nthird\n") == (0, "? first ['second', 'third']\n", "")


def test_what_is_piped_in_may_be_large_and_need_not_be_text(terminal: Terminal) -> None:
    data = bytes(range(256)) * 80_000  # without a line's end it would be more than a frame may have
    code = "import hashlib, sys\nprint(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    ran = terminal.run(terminal.write("hash.py", code), text=data.decode("utf-8", "surrogateescape"))
    assert ran == (0, f"{hashlib.sha256(data).hexdigest()}\n", "")


def test_what_the_script_does_not_read_holds_nothing_up(terminal: Terminal) -> None:
    script = terminal.write("deaf.py", "for number in range(3): print(number, flush=True)")
    assert terminal.run(script, text="x" * 20_000_000) == (0, "0\n1\n2\n", "")


@pytest.mark.parametrize(
    ("code", "status"), [("", 0), ("raise SystemExit(3)", 3), ("import os, signal; os.kill(os.getpid(), 9)", 137)]
)
def test_its_exit_status_is_ours(terminal: Terminal, code: str, status: int) -> None:
    assert terminal.run(terminal.write("status.py", code)).status == status


def test_a_scripts_own_error_is_its_own_traceback(terminal: Terminal) -> None:
    ran = terminal.run(terminal.write("fails.py", "def f():\n    raise ValueError('no')\nf()"))
    assert ran.status == 1
    assert ran.out == ""
    assert ran.err.endswith("ValueError: no\n")
    assert terminal.run("attach") == (1, "", ran.err)
    assert "choline_jupyter" not in ran.err


def test_a_missing_script_is_told(terminal: Terminal) -> None:
    ran = terminal.run("nowhere.py")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "There is no script 'nowhere.py'.\nGive the path of a file.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["statu"], "status"),
        (["stats", "--all"], "status"),
        (["atach"], "attach"),
        (["stop", "--al"], "--all"),
        (["read.py", "--detatch"], "--detach"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest(terminal: Terminal, arguments: list[str], words: str) -> None:
    ran = terminal.run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert words in ran.err
    assert len(ran.err.splitlines()) <= 2


@pytest.mark.parametrize("verb", ["attach", "logs"])
def test_a_job_that_does_not_exist_is_told(terminal: Terminal, verb: str) -> None:
    ran = terminal.run(verb, "j-0000000-00000000")
    assert (ran.status, ran.out) == (2, "")
    assert "no job 'j-0000000-00000000'" in ran.err
    assert "Traceback" not in ran.err


def test_help_and_version_need_nothing(terminal: Terminal) -> None:
    assert "usage" in terminal.run("--help").out.lower()
    assert re.fullmatch(r"\S*\s*\d+\.\d+\.\d+\S*\n", terminal.run("--version").out)


def test_a_detached_job_runs_on_and_can_be_attached(terminal: Terminal) -> None:
    gate = terminal.folder / "gate"
    code = f"import os, time\nprint('before', flush=True)\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)\n"
    ran = terminal.run(terminal.write("long.py", code + "print('after')\nraise SystemExit(4)"), "--detach")
    assert ran.status == 0
    found = JOB.search(ran.out)
    assert found, ran
    job = found.group(1)
    status = terminal.run("status")
    assert (status.status, status.err) == (0, "")
    assert job in status.out
    gate.touch()
    attached = terminal.run("attach", job)
    assert (attached.status, attached.out) == (4, "before\nafter\n")
    assert terminal.run("attach", job) == attached
    assert terminal.run("logs", job).out == "before\nafter\n"


@pytest.mark.timeout(150)
def test_stop_leaves_no_process(terminal: Terminal) -> None:
    mark = terminal.folder / "pid"
    code = f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    assert terminal.run(terminal.write("sleeps.py", "print('up', flush=True)\n" + code), "--detach").status == 0
    _wait_for(mark)
    pid = int(mark.read_text())
    assert pid in list_pids(terminal)
    ran = terminal.run("stop", "--all", "--yes")
    assert (ran.status, ran.err) == (0, "")
    assert pid not in list_pids(terminal)
    told = terminal.run("status").out
    assert "No session is open" in told
    # The keeper may only just have begun, and then starts an agent to read how its job ended: both go by themselves.
    while left := terminal.isolation.find_processes():
        psutil.wait_procs(left, timeout=LINGER)
    assert "failed" in terminal.run("status").out


def list_pids(terminal: Terminal) -> list[int]:
    """What this user has running; a zombie runs no more."""
    return [process.pid for process in terminal.isolation.find_processes()]


def _wait_for(path: Path) -> None:
    """Until a script has written into a file; pytest's own timeout bounds it."""
    while not (path.exists() and path.read_text()):
        pass


def test_variables_of_a_session_become_files(terminal: Terminal) -> None:
    kernel = DrivenKernel(terminal.isolation)
    try:
        kernel.run("%load_ext choline_jupyter")
        kernel.run(
            "%%choline --session mine\nimport numpy as np, threading\na = np.arange(3); n = {'x': [1]}; k = threading.Lock()"
        )
        ran = terminal.run("get", "a", "n", "nowhere", "k", "--session", "mine")
        assert (ran.status, ran.out) == (1, "a.npy\nn.json\n")
        assert "There is no nowhere in the session." in ran.err
        assert "k stays in the session" in ran.err
        assert (terminal.folder / "n.json").read_text() == '{\n "x": [\n  1\n ]\n}\n'
        assert (terminal.folder / "a.npy").read_bytes().startswith(b"\x93NUMPY")
        assert terminal.run("get", "a", "--session", "mine") == (0, "a-2.npy\n", "")
    finally:
        kernel.run("%choline stop --all --yes")
        kernel.close()
