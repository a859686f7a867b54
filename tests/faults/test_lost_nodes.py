"""Two machines of one rack, one of which loses its power: the training goes on from the last checkpoint that was at home.

Each time another one, and its place is taken by a spare machine or by itself when it is back.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.nodes.rack import Rack, wait_until
from tests.net.segment import require_segment

pytestmark = [pytest.mark.faults, pytest.mark.kernel_feature]
STEPS = ("--", "--steps", "8")


@pytest.fixture(scope="module")
def losses() -> list[str]:
    """What the steps come to when nothing happens."""
    require_segment()
    rack = Rack(2)
    try:
        plain = rack.run("train.py", "--nodes", "2", "--host", ",".join(rack.machines), *STEPS)
        assert plain.finish() == 0, "".join(plain.lines)
        return plain.find("[node 0] step")
    finally:
        rack.close()


@pytest.fixture
def rack() -> Iterator[Rack]:
    require_segment()
    made = Rack(3)
    yield made
    made.close()


@pytest.mark.parametrize("round", range(5))
def test_training_goes_on(rack: Rack, losses: list[str], round: int) -> None:
    lost, has_spare = round % 2, round in (2, 3)
    machines = rack.machines[: 3 if has_spare else 2]
    command = rack.run("train.py", "--nodes", "2", "--host", ",".join(machines), *STEPS, "--wait", "never")
    command.wait_for("step 5")
    wait_until(lambda: "0005" in rack.list_kept())
    rack.lose(lost)
    if not has_spare:
        rack.servers[lost].start()
    assert command.finish() == 0, "".join(command.lines)
    assert command.find(f"[node {1 - lost}] rank {1 - lost} of 2 attempt 1 begins at") == ["6"]
    assert any(f"node {lost} ({machines[lost]}) is lost" in line for line in command.lines)
    steps = command.find("[node 0] step")
    assert [step for step in steps if step.startswith(("6 ", "7 "))] == losses[-2:]
    assert rack.list_leftovers() == []
