"""A home directory that cannot be written: cells run all the same, and it is said where their output is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD

pytestmark = pytest.mark.e2e

HOMES = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
# What is kept instead goes to /var/tmp on every machine: the kernel gets one of its own to leave this machine's alone.
PYTHON = """#!/bin/sh
exec unshare {user} --mount sh -c 'mount --bind "$TMPDIR" /var/tmp && {mount} && exec "$0" "$@"' {python} "$@"
"""
READ_ONLY = 'mount --bind "$HOME" "$HOME" && mount -o remount,bind,ro "$HOME"'


class Homeless(Isolation):
    """A user in whose environment nothing names a place that can be written, but for a temporary one."""

    def __init__(self, home: str, mount: str) -> None:
        super().__init__()
        for name in ("CHOLINE_HOME", "CHOLINE_AGENT_HOME"):
            del self.environment[name]
        self.home = self.folder / home
        self.environment.update(dict.fromkeys(HOMES, str(self.home)))
        self.python = self.folder / "python"
        user = "" if os.geteuid() == 0 else "--user --map-root-user"
        self.python.write_text(PYTHON.format(user=user, mount=mount, python=sys.executable))
        self.python.chmod(0o755)


@pytest.fixture(params=["below-a-file", "read-only"])
def homeless(request: pytest.FixtureRequest) -> Iterator[Homeless]:
    """A home that cannot be made, or one on a file system that is mounted read-only; not even root can write there."""
    if request.param == "read-only":
        made = Homeless("home", READ_ONLY)
        made.home.mkdir()
    else:
        made = Homeless("file/home", "true")
        made.home.parent.touch()
    tried = subprocess.run([made.python, "-c", ""], check=False, env=made.environment, capture_output=True, text=True)
    if tried.returncode:
        made.close()
        pytest.skip(f"needs a kernel feature: mount namespaces ({tried.stderr.strip()})")
    yield made
    made.close()


def test_cells_run_and_it_is_said_where_output_is_kept(homeless: Homeless) -> None:
    kernel = DrivenKernel(homeless, str(homeless.python))
    kernel.run(LOAD)
    first = kernel.run("%%choline\nprint('printed')\n6 * 7")
    assert (first.reply["status"], first.read_result()) == ("ok", "42")
    notice, *output = first.read().splitlines()
    assert f"{homeless.home}/choline cannot be made" in notice
    assert "/var/tmp" in notice
    assert "Set CHOLINE_HOME to a folder" in notice
    assert output == ["printed"]
    advice = [line for line in kernel.run("%choline doctor").read().splitlines() if line.startswith("! ")]
    assert ["choline keeps its record in" in line or "which a restart may empty" in line for line in advice] == [
        True
    ] * 2
    assert "Stopped" in kernel.run("%choline stop --all --yes").read()
    kernel.close()
    assert list(Path(homeless.environment["TMPDIR"]).glob("choline-*/events.db"))
