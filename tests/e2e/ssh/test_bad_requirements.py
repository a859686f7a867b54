"""A requirements file that nothing can satisfy: the resolver's own words, short, and nothing half-made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.ssh.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

LONGEST = 700  # characters that a user reads


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the host keeps environments."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Server]:
    """Its `python3` has the standard library and nothing else but uv."""
    bare = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    (bare / "bin" / "uv").symlink_to(Path(sys.executable).parent / "uv")
    pip = " ".join(f"{key}={value}" for key, value in os.environ.items() if key in ("PIP_FIND_LINKS", "PIP_CERT"))
    made = Server(f"PATH={bare}/bin:/usr/bin:/bin XDG_CACHE_HOME={cache} {pip}")
    yield made
    made.close()


def test_it_is_said_in_short_and_nothing_is_left(
    isolation: Isolation, kernel: DrivenKernel, server: Server, cache: Path
) -> None:
    (isolation.folder / "wishes.txt").write_text("sortedcontainers==99.9\n")
    head = f"%%choline --host {server.address} --accept-host-key {server.fingerprint} --env wishes.txt\n"
    run = kernel.run(head + "print('ran')")
    assert run.reply["status"] == "error"
    said = run.read("stderr") + "\n".join(run.reply["traceback"]) + run.reply["evalue"]
    assert "Because there is no version of sortedcontainers==99.9 and you require sortedcontainers==99.9" in said
    assert "\x1b[1m" not in run.read("stderr")
    assert "configuration). " in run.reply["evalue"]
    assert "Traceback" not in said
    assert len(run.reply["evalue"]) < LONGEST
    assert "ran" not in run.read()
    assert not list(cache.glob("choline/environments/*/ready"))
