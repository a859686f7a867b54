"""A notebook in the home folder itself: what choline keeps there is no part of the project, although kernels see it there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.kernels.conftest import kernel
from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.training.notebook import APART, find_job, finish, list_home, succeed
from tests.namespaces import needs_namespaces

__all__ = ["kernel"]
pytestmark = [pytest.mark.e2e, needs_namespaces, pytest.mark.timeout(180)]

PLACES = {
    "HOME": "",
    "XDG_RUNTIME_DIR": "run",
    "XDG_CACHE_HOME": ".cache",
    "CHOLINE_AGENT_HOME": ".local/state/choline/agent",
}
TRAINING = """
import torch
from choline_jupyter import checkpoint
model = torch.nn.Linear(2, 2)
for step in range(3):
    checkpoint(step, loss=1.0, model=model)
torch.save(model.state_dict(), "net.pt")
"""


@pytest.fixture(scope="module")
def isolation() -> Iterator[Isolation]:
    made = Isolation()
    for name, place in PLACES.items():
        (made.folder / place).mkdir(parents=True, exist_ok=True)
        made.environment[name] = str(made.folder / place)
    yield made
    made.close()


def test_each_checkpoint_comes_home_once(isolation: Isolation, kernel: DrivenKernel) -> None:
    succeed(kernel, APART + TRAINING)
    assert finish(kernel) == "[]"
    names = [path.name for path in list_home(isolation, find_job(kernel))]
    assert [name for name in names if name.startswith("step-")] == [f"step-000000000{step}.pt" for step in range(3)]
    [seen] = [name for name in names if not name.startswith("step-")]
    assert seen.endswith("-net.pt")
    assert (isolation.folder / "net.pt").is_file()
