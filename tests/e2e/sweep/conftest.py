"""Two hosts reached by ssh, and a notebook that sweeps over them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import MARK, Isolation
from tests.e2e.kernels.pair import LOAD
from tests.e2e.ssh.server import Server, is_available


@pytest.fixture(scope="module")
def isolation() -> Iterator[Isolation]:
    """A user; fails at the end if something of theirs still runs."""
    made = Isolation()
    yield made
    made.close()


@pytest.fixture(scope="module")
def servers(isolation: Isolation) -> Iterator[list[Server]]:
    """Two hosts with homes of their own, which the user's `ssh` knows."""
    if not is_available():
        pytest.fail("sshd is missing: make system")
    with ExitStack() as ends, patch.dict(os.environ, {MARK: isolation.environment[MARK]}):
        made = []
        for _ in range(2):
            made.append(Server(f"PATH={Path(sys.executable).parent}:/usr/bin:/bin"))
            ends.callback(made[-1].close)
        first, second = made
        (second.folder / "authorized_keys").write_text((first.folder / "id.pub").read_text())
        known = [f"[{one.name}]:{one.port} {(one.folder / 'host_key.pub').read_text()}" for one in made]
        (first.folder / "known_hosts").write_text("".join(known))
        isolation.environment["PATH"] = f"{first.client}:{isolation.environment['PATH']}"
        yield made


@pytest.fixture(scope="module")
def kernel(isolation: Isolation, servers: list[Server]) -> Iterator[DrivenKernel]:
    """A notebook's kernel with the extension loaded."""
    made = DrivenKernel(isolation)
    made.run(LOAD)
    yield made
    made.run("%choline stop --all --yes")
    made.close()
