"""A damaged file is kept, under a dated name, and a new one takes its place.

Used by `ledger.database`. Damage met in the middle of the work leaves a mark next to the file, because SQLite sees
only the damage it happens to read: the next one to open the file must not go on with it.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

_COMPANIONS = ("-wal", "-shm", "-journal")  # a new file must never meet the log of the old one


def mark_damaged(path: Path) -> None:
    """Leave the mark; without room even for that, the damage will be met again."""
    try:
        _mark(path).touch(mode=0o600)
    except OSError:
        pass


def is_marked(path: Path) -> bool:
    """Whether someone met damage in this file."""
    return _mark(path).exists()


def move_aside(path: Path) -> Path:
    """Rename the file, and all that belongs to it, to a name with the date, which is returned; raises OSError.

    Nobody may have it open.
    """
    aside = _find_free_name(path)
    for companion in _COMPANIONS:
        log = path.with_name(path.name + companion)
        if log.exists():
            log.rename(aside.with_name(aside.name + companion))
    path.rename(aside)
    _mark(path).unlink(missing_ok=True)
    return aside


def _mark(path: Path) -> Path:
    return path.with_name(path.name + ".damaged")


def _find_free_name(path: Path) -> Path:
    stem = f"{path.name}.damaged-{time.strftime('%Y-%m-%d-%H%M%S')}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(aside for aside in map(path.with_name, names) if not aside.exists())
