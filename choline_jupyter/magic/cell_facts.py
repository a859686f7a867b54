"""What a shell knows of the cell that it runs now: its notebook, number, id and request, and whether anybody answers.

Called by `magic.notebook`, in the shell's main thread; made when that is imported, so the folder of the start is known.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.magic.relay import can_relay

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_START = str(Path.cwd())


def find_name(shell: InteractiveShell) -> str:
    """The notebook's path if it is known (jupyter_server and VS Code tell), else the working folder at the start."""
    path = os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__")
    return str(Path(str(path)).absolute()) if path else _START


def find_request(shell: InteractiveShell) -> str:
    """The `msg_id` of the cell that runs now; empty where there is none, as in a terminal."""
    if not can_relay(shell):
        return ""
    header = shell.kernel.get_parent("shell").get("header", {})  # type: ignore[attr-defined]  # ipykernel's shell has it
    return str(header.get("msg_id", ""))


def find_count(shell: InteractiveShell) -> int:
    """The number of the cell that runs now.

    IPython's `execution_count` is raised before the cell in some versions and behind it in others; its list of inputs
    grows before the cell in all of them.
    """
    history: Any = shell.history_manager
    return len(history.input_hist_parsed) - 1 if history else shell.execution_count


def find_cell(shell: InteractiveShell) -> str:
    """The id of the cell that runs now, where the front end tells."""
    if not can_relay(shell):
        return ""
    metadata = shell.kernel.get_parent("shell").get("metadata", {})  # type: ignore[attr-defined]  # see find_request
    return str(metadata.get("cellId", ""))


def allows_input(shell: InteractiveShell) -> bool:
    """Whether the front end answers `input()`; headless runs do not, and the cell is told so as by a local kernel."""
    return bool(getattr(getattr(shell, "kernel", None), "_allow_stdin", True))
