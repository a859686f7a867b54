"""Leftovers: what a session's earlier epoch has left on a machine that was halted, kept its disk, and runs again.

`note_ended` is called by `agent.session` when a session ends, `clear_leftovers` by `agent.client` before one is opened.
Promises: a session that comes back in a later epoch begins as on a machine that it has never been on, but for contents, which
are not sent again; one of the same epoch that has ended stays ended; what this machine had before the session is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from choline_jupyter.agent.contents import Contents
from choline_jupyter.agent.layout import Layout, list_kept
from choline_jupyter.agent.workspace import INDEX, load_index, walk
from choline_jupyter.model.names import check_identifier

if TYPE_CHECKING:
    from choline_jupyter.agent.supervisor import Supervisor

_FILE = "ended.json"


def note_ended(directory: Path, spec: dict[str, Any]) -> None:
    """A session of this folder has ended: in which epoch, and where its files were."""
    with suppress(OSError):  # a full disk: it cannot come back to this machine then
        (directory / _FILE).write_text(json.dumps({"epoch": spec["epoch"], "layout": spec.get("layout")}))


def find_ended_epoch(directory: Path) -> int:
    """In which epoch the session of this folder has ended."""
    left = _read(directory / _FILE)
    return int(left["epoch"]) if left else 1


def clear_leftovers(supervisor: Supervisor, wish: dict[str, Any]) -> bool:
    """Make room for a session, if it ended here in an earlier epoch; whether it did. It blocks: such a machine hosts nothing
    else yet.
    """
    name = check_identifier(wish["session"])
    directory = supervisor.place.find_session(name)
    left = _read(directory / _FILE)
    if name in supervisor.sessions or left is None or left["epoch"] >= wish["epoch"]:
        return False
    if left["layout"] and not left["layout"]["binds"]:
        with suppress(OSError):
            _empty(Layout(**left["layout"]), load_index(directory / INDEX), Contents(supervisor.place.home))
    supervisor.layouts.remove(name)
    supervisor.retention.forget(name)
    shutil.rmtree(directory, ignore_errors=True)
    return True


def _empty(layout: Layout, index: dict[str, dict[str, list[Any]]], contents: Contents) -> None:
    """Folders at paths of this machine's own: of the project's files those stay that were there before us."""
    for root, known in index.items():
        contents.keep(root)
        made = [path for path, _ in walk(root, list_kept(layout)) if path not in known] if root == layout.root else []
        for path in [*made, *(path for path, entry in known.items() if entry[0])]:
            with suppress(OSError):
                os.unlink(os.path.join(root, path))


def _read(path: Path) -> Optional[dict[str, Any]]:
    try:
        told = json.loads(path.read_text())
        return {"epoch": int(told["epoch"]), "layout": told["layout"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
