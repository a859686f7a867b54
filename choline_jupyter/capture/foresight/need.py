"""What goes into foresight and what comes out: pieces of code, and the paths that they need.

Used by everyone in `capture.foresight` and by whoever calls `foresee`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One piece of code: a cell as the user wrote it, or a script, whose label is then its path.

    `is_target` False: an earlier cell, of which constants, functions, imports and `%cd` count, not its own reads.
    `arguments` are the words behind a script's name; None where they are not known.
    """

    code: str
    label: str
    is_target: bool = True
    arguments: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Need:
    """A path that the code needs: absolute, normalised by its text alone, there when it was foreseen."""

    path: Path
    kind: str  # "module", "data" (one file), or "folder" (all that is below)
    why: str
