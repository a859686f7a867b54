"""Datasets by address: the machine that runs the cell downloads them; real kernels, a real server."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.agent_processes import find_downloads, wait_until
from tests.namespaces import needs_namespaces
from tests.net.data_server import PIECE, DataServer, serve_data

pytestmark = pytest.mark.e2e

DATA = random.Random(7).randbytes(3 << 20)
READ = "import hashlib\nhashlib.sha256(open('{}', 'rb').read()).hexdigest()"


@pytest.fixture
def server() -> Iterator[DataServer]:
    with serve_data() as made:
        yield made


def digest(data: bytes) -> str:
    return repr(hashlib.sha256(data).hexdigest())


def test_file_is_there_in_a_session_of_this_folder(
    kernel: DrivenKernel, server: DataServer, isolation: Isolation
) -> None:
    server.put("/train.bin", DATA)
    run = kernel.run(f"%%choline --with {server.address}/train.bin\n" + READ.format("train.bin"))
    assert run.read_result() == digest(DATA), run.messages
    assert "choline: train.bin: downloaded 3.1 MB in 0 s" in run.read("stderr")
    path = isolation.folder / "train.bin"
    assert not path.is_symlink()
    assert path.stat().st_nlink == 1
    again = kernel.run(f"%%choline --with {server.address}/train.bin\n" + READ.format("train.bin"))
    assert again.read_result() == digest(DATA)
    assert again.read("stderr") == ""
    assert server.count("/train.bin") == 1


@needs_namespaces
def test_file_and_small_file_are_there_in_a_session_without_this_folder(
    kernel: DrivenKernel, server: DataServer, isolation: Isolation
) -> None:
    server.put("/a/train.bin", DATA)
    server.put("/a/labels.csv", b"a,b\n")
    (isolation.folder / "data").mkdir()
    (isolation.folder / "data/labels.csv").write_text("a sample of this machine")
    names = f"data/t.bin={server.address}/a/train.bin?v=1,data/={server.address}/a/labels.csv"
    cell = READ.format("data/t.bin") + ", open('data/labels.csv').read()"
    run = kernel.run(f"%%choline --isolated --session there --with {names}\n{cell}")
    assert run.read_result() == f"({digest(DATA)}, 'a,b\\n')", run.messages
    assert [path.name for path in (isolation.folder / "data").iterdir()] == ["labels.csv"]  # nothing has come here
    assert (isolation.folder / "data/labels.csv").read_text() == "a sample of this machine"


def test_interrupt_stops_the_download_and_the_next_cell_goes_on(
    kernel: DrivenKernel, server: DataServer, isolation: Isolation
) -> None:
    gate = threading.Event()
    server.put("/long.bin", DATA, gate=gate, gate_at=20 * PIECE)
    cell = f"%%choline --with {server.address}/long.bin\n" + READ.format("long.bin")
    run = kernel.start(cell)
    kernel.wait_for(lambda: "1.3 of 3.1 MB downloaded in" in run.read("stderr"))
    kernel.interrupt()
    kernel.finish(run)
    assert "interrupted before it began; what has come of its datasets is kept" in run.read_error()
    wait_until(lambda: not find_downloads(isolation))
    gate.set()
    assert kernel.run(cell).read_result() == digest(DATA)
    assert server.log[-1].headers["Range"] == f"bytes={20 * PIECE}-"


def test_what_cannot_be_had_ends_the_cell_in_two_sentences(kernel: DrivenKernel, server: DataServer) -> None:
    run = kernel.run(f"%%choline --with {server.address}/gone.bin?key=hidden\nprint('it ran')")
    assert run.read() == ""
    host = server.address.removeprefix("http://")
    assert run.read_error().splitlines() == [
        f"The cell did not run: gone.bin cannot be had: {host} has nothing there (404).",
        "Look at the address.",
    ]
    assert kernel.run("%%choline\n1").read_result() == "1"


def test_what_makes_no_sense_is_refused_here(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline --with http://example.org/x.bin\n1")
    assert run.reply["ename"] == "RequestError"
    assert "may be changed on its way" in run.read_error()


def test_a_file_of_the_user_is_not_replaced(kernel: DrivenKernel, server: DataServer, isolation: Isolation) -> None:
    server.put("/mine.bin", DATA)
    path = isolation.folder / "mine.bin"
    path.write_bytes(b"mine")
    run = kernel.run(f"%%choline --session plain --with {server.address}/mine.bin\n1")
    assert "there is a file of that name already" in run.read_error()
    assert "--with PATH=URL" in run.read_error()
    assert path.read_bytes() == b"mine"
    assert server.log == []


def test_datasets_are_listed_with_the_files(kernel: DrivenKernel, server: DataServer) -> None:
    shown = kernel.run(f"%choline files --with data/x.bin={server.address}/x.bin?key=hidden").read()
    assert f"data/x.bin  comes over there from {server.address}/x.bin\n" in shown


@needs_namespaces
def test_every_rank_has_it(kernel: DrivenKernel, server: DataServer) -> None:
    server.put("/ranks.bin", DATA)
    cell = "import os\nprint(os.path.getsize('ranks.bin'))"
    run = kernel.run(f"%%choline --isolated --ranks 2 --session ranks --with {server.address}/ranks.bin\n{cell}")
    assert run.read() == f"{len(DATA)}\n", run.messages
    assert server.count("/ranks.bin") == 1


@needs_namespaces
def test_a_dataset_outside_of_the_project(kernel: DrivenKernel, server: DataServer) -> None:
    server.put("/outer.bin", DATA)
    cell = READ.format("/srv/choline-data/outer.bin")
    name = f"/srv/choline-data/outer.bin={server.address}/outer.bin"
    run = kernel.run(f"%%choline --isolated --session outer --with {name}\n{cell}")
    assert run.read_result() == digest(DATA), run.messages


def test_script_has_its_dataset(isolation: Isolation, server: DataServer) -> None:
    server.put("/script.bin", DATA)
    (isolation.folder / "read.py").write_text("print(len(open('in/script.bin', 'rb').read()))")
    done = run_script(isolation, "read.py", "--with", f"in/={server.address}/script.bin")
    assert (done.returncode, done.stdout) == (0, f"{len(DATA)}\n"), done.stderr
    assert "choline: script.bin: downloaded 3.1 MB" in done.stderr
    assert "\r" not in done.stderr


def test_script_without_its_dataset_leaves_nothing(isolation: Isolation, server: DataServer) -> None:
    (isolation.folder / "never.py").write_text("print('it ran')")
    before = {process.pid for process in isolation.find_processes()}
    done = run_script(isolation, "never.py", "--with", f"{server.address}/gone.bin")
    assert (done.returncode, done.stdout) == (1, "")
    assert "gone.bin cannot be had" in done.stderr
    wait_until(lambda: {one.pid for one in isolation.find_processes()} - before <= find_agent(isolation))
    sessions, _, jobs = run_script(isolation, "status").stdout.partition("Jobs, newest first")
    assert "never.py" not in sessions
    assert "cancelled" in jobs


def find_agent(isolation: Isolation) -> set[int]:
    return {process.pid for process in isolation.find_agent()}


def run_script(isolation: Isolation, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "choline_jupyter", *words], cwd=isolation.folder, env=isolation.environment,
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_what_is_typed_while_a_script_waits_for_its_dataset_is_read(server: DataServer, isolation: Isolation) -> None:
    gate = threading.Event()
    server.put("/late.bin", b"late", gate=gate)
    (isolation.folder / "ask.py").write_text("import sys\nprint(sys.stdin.read(), open('late.bin').read())\n")
    command = [sys.executable, "-m", "choline_jupyter", "ask.py", "--with", f"{server.address}/late.bin"]
    pipe = subprocess.PIPE
    script = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, cwd=isolation.folder, env=isolation.environment
    )
    assert script.stdin
    script.stdin.write("early")
    script.stdin.close()
    script.stdin = None
    assert server.waiting.wait(60)
    gate.set()
    assert script.communicate(timeout=60)[0] == "early late\n"
