"""What a notebook may bring that no machine likes: oddly named files, values that are no data, modules that take for ever."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import HEAD
from tests.namespaces import needs_namespaces

pytestmark = pytest.mark.e2e

NAMES = (
    b"two\nlines.txt",
    b"no utf-8 \xff.txt",
    "gr\u00fc\u00dfe \u2603.txt".encode(),
    b" blank ",
    b"-rf",
    b"a'b\"c$(d)",
)


@needs_namespaces
def test_oddly_named_files_go_there_and_come_home(kernel: DrivenKernel, isolation: Isolation) -> None:
    (isolation.folder / "odd").mkdir()
    folder = os.fsencode(isolation.folder / "odd")
    for name in NAMES:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(name)
    run = kernel.run(
        "%%choline --isolated\nimport os\n"
        "found = {name: open(os.path.join(b'odd', name), 'rb').read() for name in os.listdir(b'odd')}\n"
        "for name in found:\n    open(b'odd/new ' + name, 'wb').write(name)\nprint(sorted(found.items()))"
    )
    assert run.read() == f"{sorted((name, name) for name in NAMES)}\n", run.read("stderr")
    assert {name: Path(os.fsdecode(folder + b"/new " + name)).read_bytes() for name in NAMES} == {n: n for n in NAMES}


@needs_namespaces
def test_a_pipe_among_the_files_is_not_there_and_nothing_waits_for_it(
    kernel: DrivenKernel, isolation: Isolation
) -> None:
    os.mkfifo(isolation.folder / "pipe")
    (isolation.folder / "beside.txt").write_text("beside")
    run = kernel.run("%%choline --isolated\nsorted(set(os.listdir('.')) & {'pipe', 'beside.txt'}), open('pipe').read()")
    assert run.reply["ename"] == "FileNotFoundError"
    assert (
        kernel.run(HEAD + "'pipe' in os.listdir('.'), open('beside' + '.txt').read()").read_result()
        == "(False, 'beside')"
    )


@pytest.mark.parametrize(
    ("here", "there", "result"),
    [
        ("import socket\ns = socket.socket()", "s.getsockname()[0]", "'0.0.0.0'"),
        ("import threading\nlock = threading.RLock()", "lock.acquire()", "True"),
        ("g = (n * n for n in range(4))", "list(g)", "[0, 1, 4, 9]"),
        ("from math import *", "sqrt(4) + floor(pi)", "5.0"),
        ("from collections import *", "Counter('aa')['a'], len(deque([1]))", "(2, 1)"),
    ],
)
def test_what_is_no_data_is_made_anew_or_imported(kernel: DrivenKernel, here: str, there: str, result: str) -> None:
    assert kernel.run(here).reply["status"] == "ok"
    assert kernel.run(HEAD + there).read_result() == result


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("sock", "socket.socket()"),
        ("locked", "threading.Lock()"),
        ("gen", "(n for n in range(3))"),
        ("file", "open('x', 'w')"),
    ],
)
def test_what_cannot_be_made_anew_is_named_in_one_sentence(kernel: DrivenKernel, name: str, make: str) -> None:
    kernel.run(f"import socket, threading\ndef give():\n    globals()['{name}'] = {make}\ngive()")
    run = kernel.run(HEAD + name)
    assert run.reply["ename"] == "NameError"
    [line, *rest] = run.read("stderr").splitlines()
    assert line.startswith(f"choline: {name} stays here: it is ")
    assert line.endswith("Make it in a %%choline cell.")
    assert not rest


def test_a_module_that_takes_for_ever_is_not_run_to_be_understood(kernel: DrivenKernel, isolation: Isolation) -> None:
    """It waits for somebody to write into a pipe; only the cell that imports it waits for that, and can be interrupted."""
    gate = isolation.folder / "gate"
    os.mkfifo(gate)
    (isolation.folder / "slow.py").write_text(f"print('waits', flush=True)\nWORD = open({str(gate)!r}).read()\n")
    kernel.run("def use():\n    import slow\n    return slow.WORD")
    run = kernel.start("%%choline --session here\nuse()")
    kernel.wait_for(lambda: "waits" in run.read())
    kernel.interrupt()
    assert kernel.finish(run).reply["ename"] == "KeyboardInterrupt"
    assert "slow.py" in kernel.run("%choline files").read()
    run = kernel.start(HEAD + "use()")
    kernel.wait_for(lambda: "waits" in run.read())
    threading.Thread(target=gate.write_text, args=["gone through"], daemon=True).start()
    assert kernel.finish(run).read_result() == "'gone through'"
