"""A script on several ranks of one machine, one of which is killed: it goes on from its last checkpoint to the same losses."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.nodes.rack import Command, copy_script

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def isolation() -> Iterator[Isolation]:
    made = Isolation()
    yield made
    made.close()


@pytest.fixture(scope="module")
def losses(isolation: Isolation) -> list[str]:
    """What the steps come to when nothing happens."""
    return train(isolation).find("step")


def train(isolation: Isolation, *words: str) -> Command:
    copy_script(isolation)
    command = Command(["train.py", "--ranks", "2", "--", "--steps", "8", *words], isolation)
    assert command.finish() == 0, "".join(command.lines)
    return command


@pytest.mark.parametrize("seed", range(10))
def test_the_losses_are_the_same(isolation: Isolation, losses: list[str], seed: int) -> None:
    chance = random.Random(seed)
    rank, step = chance.randrange(2), chance.randrange(2, 8)
    command = train(isolation, "--kill", f"{rank}:{step}")
    assert command.find("rank 0 of 2 attempt 1 begins at") == [str(step - step % 2)]
    assert dict.fromkeys(command.find("step")) == dict.fromkeys(losses)  # what ran twice came to the same
