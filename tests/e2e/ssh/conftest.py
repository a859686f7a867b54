"""A host reached by ssh, and a notebook that uses it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.ssh.server import Server, is_available


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A host that has never seen choline; its `python3` is the one that runs the tests, so it has ipykernel."""
    if not is_available():
        pytest.fail("sshd is missing: make system")
    made = Server(f"PATH={Path(sys.executable).parent}:/usr/bin:/bin")
    yield made
    made.close()


@pytest.fixture(scope="module")
def isolation(server: Server) -> Iterator[Isolation]:
    """A user whose `ssh` knows the server's key file and nothing else."""
    made = Isolation()
    made.environment["PATH"] = f"{server.client}:{made.environment['PATH']}"
    server.stop()  # the sessions of a server inherit its environment: start it with the mark of this user's processes
    os.environ.update(_find_mark(made))
    server.start()
    yield made
    for name in _find_mark(made):
        os.environ.pop(name)
    made.close()


@pytest.fixture(scope="module")
def kernel(isolation: Isolation) -> Iterator[DrivenKernel]:
    """A notebook's kernel with the extension loaded."""
    made = DrivenKernel(isolation)
    made.run(LOAD)
    yield made
    made.run("%choline stop --all --yes")
    made.close()


def _find_mark(isolation: Isolation) -> dict[str, str]:
    from tests.e2e.kernels.isolation import MARK

    return {MARK: isolation.environment[MARK]}
