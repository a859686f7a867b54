"""What a call costs in a process that has the preload shim, or the hook in its place, when nothing has to be fetched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.agent.file_pair import FilePair
from tests.benchmarks.report import Report, Row, Unit
from tests.benchmarks.samples import choose, interleave
from tests.preloading import needs_shim
from tests.source_tree import ROOT

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300), needs_shim]

SECTION = "Files on demand"
MICROSECONDS = Unit("us", 1e6)
PROGRAM = """
import json, os, sys, time
socket, root, outside, by_hook = sys.argv[1:]
if by_hook:
    from choline_jupyter.agent.kernel.file_hook import install_hook
    from choline_jupyter.agent.kernel.file_question import FileQuestions
    install_hook(FileQuestions(socket, [root], []))
def measure(call, count=20000):
    start = time.perf_counter()
    for _ in range(count): call()
    return (time.perf_counter() - start) / count
def read(path):
    os.close(os.open(path, os.O_RDONLY))
print(json.dumps({
    "stat": measure(lambda: os.stat(root + "/file")), "open": measure(lambda: read(root + "/file")),
    "outside": measure(lambda: os.stat(outside)),
}))
"""


def make_run(
    pair: FilePair, environment: Mapping[str, str], *, by_hook: bool = False
) -> Callable[[], dict[str, float]]:
    def run() -> dict[str, float]:
        outside = pair.here / "file"
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            str(pair.socket),
            str(pair.there),
            str(outside),
            "1" if by_hook else "",
        ]
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, env=environment, timeout=60)
        fact: dict[str, float] = json.loads(ran.stdout)
        return fact

    return run


def test_calls(report: Report, tmp_path: Path) -> None:
    pair = FilePair(tmp_path)
    pair.write("file")
    (pair.there / "file").write_text("content")
    plain = dict(os.environ)
    ways = {
        "plain": make_run(pair, plain),
        "shim": make_run(pair, pair.make_environment()),
        "hook": make_run(pair, plain, by_hook=True),
    }
    found = interleave(ways, rounds=choose(15, 2))
    pair.close()
    assert pair.asked == []
    for what, key in (
        ("`stat` in a root", "stat"),
        ("open and close in a root", "open"),
        ("`stat` outside", "outside"),
    ):
        for way in ("shim", "hook"):
            row = Row(
                f"{what}, with the {way}", found[f"{way} {key}"], found[f"plain {key}"], "plain", unit=MICROSECONDS
            )
            report.add(SECTION, row)
