"""Starting and finding the keeper, for those who must not wait for its imports.

Called by `magic`, `cli`, the verbs and whatever rents a machine.
"""

from __future__ import annotations

import subprocess
import sys

from choline_jupyter.ledger.file_lock import FileLock
from choline_jupyter.ledger.location import find_data_directory

LOCK = "keeper.lock"


def start_keeper() -> None:
    """Start it in the background; one that finds another at work ends at once."""
    subprocess.Popen(
        [sys.executable, "-m", "choline_jupyter.session.keeper"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def find_keeper() -> int:
    """The pid of the keeper, 0 when there is none."""
    path = find_data_directory().path / LOCK
    lock = FileLock(path)
    try:
        if lock.seize(0):
            return 0
        return int(path.read_text() or 0)
    except (OSError, ValueError):
        return 0
    finally:
        lock.close()
