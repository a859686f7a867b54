"""A process that is killed while it writes a checkpoint leaves the one before, or the new one, whole."""

from __future__ import annotations

from pathlib import Path

from tests.training.checkpoint_kills import kill_everywhere


def test_killed_at_some_system_calls(tmp_path: Path) -> None:
    steps = [step for _, step in kill_everywhere(tmp_path, 8)]
    assert steps[0] == 2
    assert steps[-1] == 3
    assert set(steps) == {2, 3}
