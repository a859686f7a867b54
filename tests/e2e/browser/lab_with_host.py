"""A JupyterLab whose user can reach another machine by ssh. Made by the modules whose cells run elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.browser.lab_server import MARK, LabServer
from tests.e2e.ssh.server import Server, is_available


@contextmanager
def serve_with_host(folder: Path, **settings: str) -> Iterator[LabServer]:
    """It runs; `settings` are of its environment, where `TEST_HOST` has the options that reach the other machine."""
    if not is_available():
        pytest.fail("sshd is missing: make system")
    made = LabServer(folder)
    host = Server(f"PATH={Path(sys.executable).parent}:/usr/bin:/bin {MARK}={made.token}")
    made.environment["PATH"] = f"{host.client}:{made.environment['PATH']}"
    made.environment["TEST_HOST"] = f"--host {host.address} --accept-host-key {host.fingerprint}"
    made.environment.update(settings)
    made.start()
    yield made
    made.stop()
    host.close()
