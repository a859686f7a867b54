"""A sweep over two hosts: every combination runs once, what fails stops nothing, what is lost is run again elsewhere."""

from __future__ import annotations

import psutil
import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.ssh.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def read_table(run: Run) -> list[str]:
    """The table as it was drawn last, in text: its title, its head and a line for each job."""
    shown = run.find("display_data", "update_display_data")
    tables = [m["content"]["data"]["text/plain"] for m in shown if "sweep" in m["content"]["data"]["text/plain"]]
    return str(tables[-1]).splitlines()


def name_hosts(servers: list[Server]) -> str:
    return ",".join(server.address for server in servers)


def test_every_combination_runs_on_two_hosts(kernel: DrivenKernel, isolation: Isolation, servers: list[Server]) -> None:
    """Names and files go along; a job that fails is a line of the table; each is a job like any other."""
    (isolation.folder / "scale.txt").write_text("10")
    kernel.run("offset = 5")
    run = kernel.run(
        f"%%choline --over {name_hosts(servers)} --sweep a=1,2,3 --sweep b=4,5\n"
        "import os\n"
        "a = 0  # the sweep sets it\n"
        "if (a, b) == (3, 5): raise ValueError('boom')\n"
        "for step in range(3): print(f'step {step} loss {a * b + 3 - step}')\n"
        "open(f'made-{a}-{b}.txt', 'w').write(os.environ['HOME'])\n"
        "a * int(open('scale.txt').read()) + b + offset"
    )
    assert run.reply["status"] == "ok", run.read_error()
    title, head, *rows = read_table(run)
    assert "5 done, 1 failed; best loss 5 with a=1 b=4" in title
    assert head.split()[:6] == ["#", "a", "b", "state", "where", "took"]
    assert len(rows) == 6
    assert "ValueError: boom" in rows[5]
    homes = {path.read_text() for path in isolation.folder.glob("made-*.txt")}
    assert homes == {str(server.home) for server in servers}
    assert len(list(isolation.folder.glob("made-*.txt"))) == 5
    assert kernel.run("sorted(row['value'] for row in _.results('result') if row['value'])").read_result() == (
        "[19.0, 20.0, 29.0, 30.0, 39.0]"
    )


def test_its_jobs_are_in_the_log_of_runs(kernel: DrivenKernel) -> None:
    """Found by their parameters, with their best loss; two of them are compared."""
    first, second = (find_done(kernel, words) for words in ("a=1 b=4", "a=3 b=4"))
    assert first[-2:] == ["a=1", "b=4"]
    assert "5" in first
    assert "\n  a: 1 | 3\n" in kernel.run(f"%choline runs {first[0]} {second[0]}").read()


def find_done(kernel: DrivenKernel, words: str) -> list[str]:
    """The words of the row in `runs` of the job that has these parameters; one that was moved has a cancelled one, too."""
    lines = kernel.run(f"%choline runs {words}").read().splitlines()
    return next(line.split() for line in lines if " done " in line)


def test_nothing_of_it_runs_any_more(kernel: DrivenKernel) -> None:
    assert "No session is open" in kernel.run("%choline status").read()


def test_function_with_a_grid(kernel: DrivenKernel) -> None:
    """The Python way, on this machine: a function of the notebook, two sessions of it."""
    kernel.run("def area(width, height):\n    return width * height")
    kernel.run("import choline_jupyter as choline")
    run = kernel.run("found = choline.sweep(area, {'width': [2, 3], 'height': [5]}, parallel=2)\nfound")
    assert run.reply["status"] == "ok"
    assert "2 done; best result 10 with width=2 height=5" in run.read_result()
    assert kernel.run("found.best(largest=True)['width']").read_result() == "3"


def test_interrupt_ends_it(kernel: DrivenKernel) -> None:
    """What runs is interrupted, what waits never begins, and the cell ends as an interrupted one."""
    cell = kernel.start(
        "%%choline --sweep number=1,2,3,4 --parallel 1\n"
        "import time\n"
        "open(f'began-{number}', 'w').close()\n"
        "while True: time.sleep(0.01)"
    )
    kernel.wait_for(lambda: (kernel.folder / "began-1").exists() or None)
    kernel.interrupt()
    run = kernel.finish(cell)
    assert run.reply["ename"] == "KeyboardInterrupt"
    assert "4 cancelled" in read_table(run)[0]
    assert not (kernel.folder / "began-2").exists()


def test_lost_session(kernel: DrivenKernel, isolation: Isolation, servers: list[Server]) -> None:
    """All processes of one host are killed, as by a restart: its jobs run on the other one."""
    cell = kernel.start(
        f"%%choline --over {name_hosts(servers)} --sweep number=1,2,3,4\n"
        "import os, pathlib, time\n"
        "where = os.environ['HOME']\n"
        f"print('epoch 1 loss 1', where == {str(servers[1].home)!r}, flush=True)\n"
        f"while where == {str(servers[1].home)!r}: time.sleep(0.01)\n"
        "number"
    )
    kernel.wait_for(lambda: count_rows(cell, "running", servers[1].address) == 1)
    lose(servers[1])
    run = kernel.finish(cell)
    title, _, *rows = read_table(run)
    assert "4 done" in title, rows
    assert all(servers[0].address in row for row in rows)


def count_rows(cell: Run, *words: str) -> int:
    """How many jobs of the last drawn table have told of a loss and have these words in their row."""
    if not cell.find("display_data", "update_display_data"):
        return 0
    return sum(all(word in row for word in (*words, " 1 ")) for row in read_table(cell)[2:] if words[0] in row)


def lose(server: Server) -> None:
    """End everything of a host but its sshd, as a restart does."""
    doomed = [process for process in psutil.process_iter() if read_home(process) == str(server.home)]
    assert doomed
    for process in doomed:
        process.kill()
    psutil.wait_procs(doomed, timeout=20)


def read_home(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("HOME")
    except psutil.Error:
        return None
