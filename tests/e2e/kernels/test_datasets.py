"""Datasets by address: the machine that runs the cell downloads them; real kernels, a real server."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.namespaces import needs_namespaces
from tests.net.data_server import DataServer, serve_data

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
    assert os.listdir(isolation.folder / "data") == ["labels.csv"]  # nothing of it has come here
    assert (isolation.folder / "data/labels.csv").read_text() == "a sample of this machine"
