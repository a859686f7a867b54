"""What an agent is told to make a session of.

Called by `session.live` each time a session is opened, or is to have further packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from choline_jupyter.model.index_settings import strip_credentials

if TYPE_CHECKING:
    from choline_jupyter.model.session import SessionRow
    from choline_jupyter.session.spec import SessionSpec


def make_opening(row: SessionRow, spec: SessionSpec, packages: Sequence[str], are_found: bool) -> dict[str, Any]:
    """The header of an OPEN; `are_found`: the packages are what the code imports, the user has not named them."""
    return {
        "session": row.id, "name": row.name, "directory": spec.directory, "epoch": row.epoch, "python": spec.python,
        "packages": list(map(strip_credentials, packages)), "are_found": are_found, "version": spec.version,
        "indexes": spec.indexes, "lease": spec.lease, "environment": spec.environment, "files": spec.files,
        "command": list(spec.command), "kind": "script" if spec.command else "kernel", "ranks": spec.ranks,
        "gpus": spec.gpus,
    }  # fmt: skip
