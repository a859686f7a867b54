"""Hosts of their own (tests.hosts) and a notebook whose `ssh` knows them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.hosts.debian_root import find_obstacle, make_root
from tests.hosts.host import Host

MakeHost = Callable[..., Host]


@pytest.fixture(scope="session")
def debian(pytestconfig: pytest.Config) -> Path:
    """The root that hosts are made from."""
    obstacle = find_obstacle()
    if obstacle:
        pytest.skip(obstacle)
    assert pytestconfig.cache is not None
    return make_root(Path(pytestconfig.cache.mkdir("hosts")))


@pytest.fixture
def make_host(debian: Path) -> Iterator[MakeHost]:
    """Make a running host with the user `anna`; each ends with the test."""
    made: list[Host] = []

    def make(shell: str = "/bin/bash", **options: str) -> Host:
        host = Host(debian, **options)
        made.append(host)
        host.start()
        host.add_user("anna", shell)
        return host

    yield make
    for host in made:
        host.close()


@pytest.fixture
def make_kernel() -> Iterator[Callable[[Host], DrivenKernel]]:
    """Make a notebook of a user whose `ssh` has a host's key and knows it."""
    made: list[tuple[DrivenKernel, Isolation]] = []

    def make(host: Host) -> DrivenKernel:
        isolation = Isolation()
        folder = isolation.folder / "bin"
        folder.mkdir()
        options = " ".join(f"-o {setting}" for setting in host.settings)
        (folder / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F none {options} "$@"\n')
        (folder / "ssh").chmod(0o755)
        isolation.environment["PATH"] = f"{folder}:{isolation.environment['PATH']}"
        kernel = DrivenKernel(isolation)
        made.append((kernel, isolation))
        kernel.run(LOAD)
        return kernel

    yield make
    for kernel, isolation in made:
        kernel.run("%choline stop --all --yes")
        kernel.close()
        isolation.close()
