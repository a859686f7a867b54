"""What the benchmarks share: one home, one engine, the kernels they compare with, one report at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.benchmarks.engine_driver import EngineDriver
from tests.benchmarks.home import Home
from tests.benchmarks.parallel_cluster import ParallelCluster
from tests.benchmarks.plain_kernel import PlainKernel
from tests.benchmarks.report import Report
from tests.benchmarks.samples import QUICK
from tests.benchmarks.ssh_host import SSHHost, open_driver

# Every process would compile what it imports at each start: that is not what a user's machine does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Printed at the end; kept in docs/performance.md when it was measured in full, and nobody has interrupted it."""
    made = Report()
    yield made
    print("\n\n" + made.render())
    session = request.session
    if not QUICK and not session.testsfailed and session.exitstatus == pytest.ExitCode.OK:
        made.save()


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    made = Home()
    with made.entered():
        yield made
    made.close()


@pytest.fixture(scope="session")
def engine(home: Home) -> Iterator[EngineDriver]:
    """The engine alone, its kernel running and its agent settled."""
    driver = EngineDriver()
    driver.open("bench")
    driver.wait_for_preload()
    yield driver
    driver.stop()
    driver.close()


@pytest.fixture(scope="module")
def host() -> Iterator[SSHHost]:
    """A machine behind an sshd on the loopback."""
    made = SSHHost()
    yield made
    made.close()


@pytest.fixture(scope="module")
def near(home: Home, host: SSHHost) -> Iterator[EngineDriver]:
    """The engine with a session on it."""
    yield from open_driver(host)


@pytest.fixture(scope="session")
def plain() -> Iterator[PlainKernel]:
    """A plain ipykernel."""
    kernel = PlainKernel()
    yield kernel
    kernel.close()


@pytest.fixture(scope="session")
def notebook(home: Home) -> Iterator[PlainKernel]:
    """A notebook's kernel with choline loaded; its session ends with the home."""
    kernel = PlainKernel(home.environment)
    kernel.evaluate("%load_ext choline_jupyter")
    yield kernel
    kernel.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ParallelCluster]:
    """ipyparallel with one engine."""
    made = ParallelCluster(tmp_path_factory.mktemp("ipyparallel"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def parallel_notebook(cluster: ParallelCluster) -> Iterator[PlainKernel]:
    """A notebook's kernel whose `%%px` cells go to the cluster."""
    kernel = PlainKernel()
    kernel.evaluate(cluster.setup)
    yield kernel
    kernel.close()
