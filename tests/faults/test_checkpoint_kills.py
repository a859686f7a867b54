"""A process that is killed at any system call of a checkpoint's writing: a hundred places of all there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.checkpoint_kills import kill_everywhere

pytestmark = pytest.mark.faults


def test_killed_at_a_hundred_system_calls(tmp_path: Path) -> None:
    found = list(kill_everywhere(tmp_path, 100))
    assert len(found) == 100
    assert {step for _, step in found} == {2, 3}
    assert [step for _, step in found] == sorted(
        step for _, step in found
    )  # there is one moment at which it is committed
