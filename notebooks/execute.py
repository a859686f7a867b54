"""Execute a notebook from top to bottom and show what it prints while it runs.

Called by `make demo` as `python execute.py NOTEBOOK OUTPUT`. Promises that OUTPUT holds everything that was executed,
also when a cell fails, and that the exit status is 1 when one fails that is not tagged `raises-exception`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

BOLD, DIM, PLAIN = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if sys.stdout.isatty() else ("", "", "")


class NarratedClient(NotebookClient):
    """Executes like nbclient, and writes each output to the terminal the moment it comes."""

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Called by nbclient for every message of the kernel that belongs to the running cell."""
        sys.stdout.write(as_text(msg["msg_type"], msg["content"]))
        sys.stdout.flush()
        output: NotebookNode | None = super().process_message(msg, cell, cell_index)
        return output


def as_text(kind: str, content: dict[str, Any]) -> str:
    """What a terminal can show of one output message; empty for messages that are no output."""
    if kind == "stream":
        return str(content["text"])
    if kind == "error":
        return "\n".join(content["traceback"]) + "\n"
    if kind in {"display_data", "execute_result"}:
        images = [mime for mime in content["data"] if mime.startswith("image/")]
        shown = f"{DIM}[{', '.join(images)}: open the executed notebook to see it]{PLAIN}" if images else ""
        return (shown or str(content["data"].get("text/plain", ""))) + "\n"
    return ""


def execute(notebook: Path, output: Path) -> None:
    """Run every cell of `notebook` in its own folder and write the result to `output`.

    Raises CellExecutionError for a cell that fails without being tagged `raises-exception`, DeadKernelError when the
    kernel dies. What had been executed is written all the same.
    """
    cells = nbformat.read(notebook, as_version=4)
    client = NarratedClient(cells, timeout=None, resources={"metadata": {"path": str(notebook.parent)}})
    client.on_cell_start = announce
    try:
        client.execute()
    finally:
        nbformat.write(cells, output)


def announce(cell: NotebookNode, cell_index: int) -> None:  # noqa: ARG001 - nbclient passes both by name
    """Called by nbclient before each cell: prose as it is, code under its own rule."""
    source = cell.source.strip()
    if cell.cell_type == "markdown":
        print(f"\n{BOLD}{source}{PLAIN}", flush=True)
    elif source:
        indented = source.replace("\n", "\n  | ")
        print(f"\n{DIM}  | {indented}{PLAIN}", flush=True)


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Execute a notebook and show its output while it runs.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        execute(arguments.notebook, arguments.output)
    except CellExecutionError:
        print(f"\nA cell failed; what ran until then is in {arguments.output}.", file=sys.stderr)
        return 1
    except DeadKernelError:
        print(f"\nThe kernel died; what ran until then is in {arguments.output}.", file=sys.stderr)
        return 1
    print(f"\n{BOLD}Done in {time.monotonic() - started:.0f} s.{PLAIN}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
