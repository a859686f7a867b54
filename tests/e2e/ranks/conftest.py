"""One user and one kernel for each module of this folder; who is waited for in vain is named after a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD

SETUP = """%%choline --ranks 2
import os
import time
import torch
import torch.distributed as dist
RANK = int(os.environ["RANK"])
x = torch.ones(2)"""


@pytest.fixture(scope="module")
def isolation() -> Iterator[Isolation]:
    """A user without any state; fails at the end if something of theirs still runs."""
    made = Isolation()
    made.environment["CHOLINE_STRAGGLER_SECONDS"] = "1"
    yield made
    made.close()


@pytest.fixture(scope="module")
def kernel(isolation: Isolation) -> Iterator[DrivenKernel]:
    """A kernel whose current session has two ranks with torch; it ends with the module."""
    made = DrivenKernel(isolation)
    made.run(LOAD)
    assert made.run(SETUP).reply["status"] == "ok"
    yield made
    made.run("%choline stop --all --yes")
    made.close()
