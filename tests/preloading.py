"""Whether the preload shim can be loaded where the tests run."""

from __future__ import annotations

import sys

import pytest

needs_shim = pytest.mark.skipif(sys.platform != "linux", reason="needs a kernel feature: LD_PRELOAD with glibc")
