"""The notebook's side: `%%choline` and `%choline`, and how the events of a job come out of the local cell.

Called by IPython through `%load_ext choline_jupyter`; calls `session`. Promise: loading it registers two magics and
nothing else; what a cell needs is imported when the first one runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics; called by IPython, also again on `%reload_ext`."""

    def run_cell(line: str, cell: str) -> object:
        """Run this cell in another machine's kernel."""
        from choline_jupyter.magic.notebook import get_notebook
        from choline_jupyter.session.failures import complete_errors

        with complete_errors():
            return get_notebook(shell).run_cell(line, cell)

    def run_line(line: str) -> None:
        """Steer sessions and jobs: `%choline` alone lists the verbs."""
        from choline_jupyter.magic.notebook import get_notebook
        from choline_jupyter.session.failures import complete_errors

        with complete_errors():
            get_notebook(shell).run_line(line)

    def complete(asking: InteractiveShell, event: object) -> list[str]:
        """What may stand next in such a line."""
        from choline_jupyter.magic.completion import complete

        return complete(asking, event)

    for magic in ("%%choline", "%choline"):
        shell.set_hook("complete_command", complete, str_key=magic)
    register: Callable[..., None] = shell.register_magic_function  # IPython's decorator hides its signature
    register(run_cell, "cell", "choline")
    register(run_line, "line", "choline")
