"""Scripts of Accelerate's and Lightning's users run on several ranks and nodes as they are.

By `make frameworks`, in an environment that has the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.nodes.rack import Command

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(240)]
HERE = Path(__file__).parent


@pytest.fixture
def isolation() -> Iterator[Isolation]:
    made = Isolation()
    for path in HERE.glob("*.txt"):
        (made.folder / f"{path.stem}.py").write_text(path.read_text())
    yield made
    made.close()


@pytest.mark.parametrize("package", ["accelerate", "lightning"])
def test_script_runs_unchanged(isolation: Isolation, package: str) -> None:
    losses = []
    for _ in range(2):
        command = Command([f"with_{package}.py", "--ranks", "2"], isolation)
        assert command.finish() == 0, "".join(command.lines)
        [line] = command.find("processes 2 ")
        losses.append(line)
    assert losses[0] == losses[1]


def test_accelerate_on_two_nodes(isolation: Isolation) -> None:
    command = Command(["with_accelerate.py", "--nodes", "2"], isolation)
    assert command.finish() == 0, "".join(command.lines)
    [line] = command.find("[node 0] processes 2 ")
    command = Command(["with_accelerate.py", "--ranks", "2"], isolation)
    assert command.finish() == 0, "".join(command.lines)
    assert command.find("processes 2 ") == [line]
