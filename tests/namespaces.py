"""Whether this machine lets a process have mounts of its own, for the tests of what needs that."""

from __future__ import annotations

import subprocess
import sys

import pytest

from choline_jupyter.agent import mounts

_TRIED = subprocess.run([sys.executable, "-S", "-E", str(mounts.__file__)], capture_output=True, check=False)

needs_namespaces = pytest.mark.skipif(
    _TRIED.returncode != 0, reason="needs a kernel feature: mount namespaces for this user"
)
