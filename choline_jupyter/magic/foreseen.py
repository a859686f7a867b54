"""The files that a cell of this notebook needs: its own code is looked at, with the cells before it.

Called by `magic.luggage` and for `%choline files`, in the notebook's main thread.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import Need, Source, foresee

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def foresee_cell(shell: InteractiveShell, cell: str, number: int) -> list[Need]:
    """What cell `number` needs of this machine's files."""
    return _foresee(shell, [*_list_cells(shell, number, is_target=False), Source(cell, f"cell {number}")])


def foresee_replayed(shell: InteractiveShell, acts: list[dict[str, Any]]) -> list[Need]:
    """What the cells need that are run again over there, because a value has no form as data."""
    cells = [str(cell) for act in acts if act["do"] == "replay" for cell in act["cells"]]
    return _foresee(shell, [Source(cell, "a cell that is run again") for cell in cells]) if cells else []


def foresee_notebook(shell: InteractiveShell) -> list[Need]:
    """What all cells that have run need."""
    history: Any = shell.history_manager
    return _foresee(shell, _list_cells(shell, len(history.input_hist_raw) if history else 0, is_target=True))


def _list_cells(shell: InteractiveShell, end: int, is_target: bool) -> list[Source]:
    """The cells before number `end`, as they were typed; of one that ran elsewhere its code."""
    history: Any = shell.history_manager
    cells = list(enumerate(history.input_hist_raw))[1:end] if history else []
    return [Source(_strip_magic(str(text)), f"cell {number}", is_target) for number, text in cells]


def _strip_magic(text: str) -> str:
    first, _, rest = text.partition("\n")
    return rest if first.startswith("%%choline") else text


def _foresee(shell: InteractiveShell, sources: list[Source]) -> list[Need]:
    return foresee(sources, Path.cwd(), shell.user_ns, sys.path)
