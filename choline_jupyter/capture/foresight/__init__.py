"""Foresight: which files, folders and local modules a piece of code needs, by reading it.

Called by whoever sends a cell or script to another machine. The code is walked with abstract values: what is known of a
text is kept, what is not becomes a pattern, and the disk of this machine says what exists. Promise: the user's code never
runs, no method of the user's objects is called, nothing raises, and a budget of steps bounds the time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from choline_jupyter.capture.foresight.analysis import analyse
from choline_jupyter.capture.foresight.need import Need, Source

__all__ = ["Need", "Source", "foresee"]


def foresee(
    sources: Sequence[Source],
    directory: Path,
    namespace: Mapping[str, Any],
    search_path: Sequence[str],
    steps: int = 200_000,
) -> list[Need]:
    """What these pieces of code need, in the order in which they are given, sorted by path.

    `directory` is where the code runs, `namespace` what the notebook holds, `search_path` the `sys.path` of its kernel.
    """
    home = os.path.normpath(os.path.abspath(directory))
    paths = [os.path.normpath(os.path.join(home, path)) for path in search_path]
    needs, _ = analyse(sources, home, namespace, paths, steps)
    return needs
