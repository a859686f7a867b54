"""One user's notebook, in sessions that have the project's files and in some that do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD


@pytest.fixture(scope="module")
def isolation() -> Iterator[Isolation]:
    """A user without any state; fails at the end if something of theirs still runs."""
    made = Isolation()
    yield made
    made.close()


@pytest.fixture(scope="module")
def kernel(isolation: Isolation) -> Iterator[DrivenKernel]:
    """A kernel with the extension loaded; its sessions end with it."""
    made = DrivenKernel(isolation)
    made.run(LOAD)
    yield made
    made.run("%choline stop --all --yes")
    made.close()
