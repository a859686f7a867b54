"""A script on several machines: one stream of output, a fault that is named, an end that leaves nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.nodes.rack import Command, Rack, copy_script, list_leftovers, wait_until
from tests.namespaces import needs_namespaces
from tests.net.segment import require_segment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
NODES = ("train.py", "--nodes", "2")


@pytest.fixture
def isolation() -> Iterator[Isolation]:
    made = Isolation()
    made.environment["OMP_NUM_THREADS"] = "1"
    copy_script(made)
    yield made
    Command(["stop", "--all", "--yes"], made).finish()
    made.close()


def test_fault_of_a_rank_ends_the_job_and_is_named(isolation: Isolation) -> None:
    command = Command([*NODES, "--", "--steps", "8", "--fail", "1"], isolation)
    assert command.finish() == 1
    assert command.find("[node 0] rank") == ["0 of 2 attempt 0 begins at 0"]
    assert command.find("[node 1] rank") == ["1 of 2 attempt 0 begins at 0"]
    assert [len(command.find(f"[node {place}] step")) for place in (0, 1)] == [4, 3]
    assert any("node 1 (this machine): rank 1 failed first: ValueError: boom" in line for line in command.lines)
    assert '[node 1]     raise ValueError("boom")\n' in command.lines
    assert list_leftovers(isolation) == []


def test_interrupt_ends_it_everywhere(isolation: Isolation) -> None:
    command = Command([*NODES, "--", "--wait", "never"], isolation)
    command.wait_for("step 5")
    command.signal(signal.SIGINT)
    assert command.finish() == 130
    assert list_leftovers(isolation) == []


def test_end_of_the_terminal_ends_it_everywhere(isolation: Isolation) -> None:
    command = Command([*NODES, "--", "--wait", "never"], isolation)
    wait_until(lambda: list_leftovers(isolation) != [])
    command.signal(signal.SIGHUP)
    assert command.finish() == 130
    assert list_leftovers(isolation) == []


def test_session_that_is_stopped_is_not_begun_anew(isolation: Isolation) -> None:
    command = Command([*NODES, "--", "--wait", "never"], isolation)
    command.wait_for("step 5")
    listed = Command(["status"], isolation)
    listed.finish()
    [name] = [line.partition(" node 1")[0].strip() for line in listed.lines if " node 1" in line][:1]
    Command(["stop", f"{name} node 1", "--yes"], isolation).finish()
    assert command.finish() == 1
    assert "node 1 (this machine) has ended its session: it was stopped." in "".join(command.lines)
    assert list_leftovers(isolation) == []


def test_command_that_is_killed_leaves_the_training_to_itself(isolation: Isolation) -> None:
    command = Command([*NODES, "--", "--steps", "8", "--wait", "go"], isolation)
    command.wait_for("step 5")
    command.signal(signal.SIGKILL)
    command.finish()
    (isolation.folder / "go").touch()
    wait_until(lambda: Path(isolation.folder, "saved/0007/.metadata").exists())
    wait_until(lambda: list_leftovers(isolation) == [])


@needs_namespaces
def test_killed_rank_goes_on_from_what_both_nodes_have_saved(isolation: Isolation) -> None:
    """In sessions that share no files each node has written a half of every checkpoint."""
    command = Command([*NODES, "--isolated", "--", "--steps", "6", "--kill", "1:4"], isolation)
    assert command.finish() == 0, "".join(command.lines)
    assert command.find("[node 1] rank 1 of 2 attempt 1 begins at") == ["4"]
    assert command.find("[node 0] step")[-1] == command.find("[node 1] step")[-1]
    notes = sorted(isolation.folder.glob("checkpoints/*/*.json"))
    assert [note.stem.partition("-")[2] for note in notes] == ["0001", "0003", "0005"]
    assert sorted(path.name for path in notes[-1].with_suffix("").iterdir()) == [
        ".metadata", "__0_0.distcp", "__1_0.distcp",
    ]  # fmt: skip
    assert not (isolation.folder / "saved").exists()


@pytest.fixture
def rack() -> Iterator[list[Rack]]:
    made: list[Rack] = []
    yield made
    for one in made:
        one.close()


@pytest.mark.kernel_feature
def test_machines_that_do_not_reach_each_other_are_refused(rack: list[Rack]) -> None:
    require_segment()
    rack.append(Rack(2, apart=True))
    command = rack[0].run(*NODES, "--host", ",".join(rack[0].machines))
    assert command.finish() == 2
    said = "".join(command.lines)
    assert f"node 1 ({rack[0].machines[1]}) does not reach node 0 ({rack[0].machines[0]}) (tried 10." in said
    assert "in one network" in said
    assert "begins at" not in said


@pytest.mark.kernel_feature
def test_another_version_of_torch_is_refused(rack: list[Rack]) -> None:
    require_segment()
    isolation = Isolation()
    other = isolation.folder / "torch-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.9\n")
    try:
        rack.append(Rack(2, settings={1: f"PYTHONPATH={isolation.folder}"}))
        command = rack[0].run(*NODES, "--host", ",".join(rack[0].machines))
        assert command.finish() == 2
        said = "".join(command.lines)
        assert "The nodes have different versions of torch: " in said
        assert f"9.9 on node 1 ({rack[0].machines[1]})" in said
    finally:
        isolation.close()
