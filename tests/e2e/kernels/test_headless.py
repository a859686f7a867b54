"""Notebooks that run without a front end: nbclient, nbconvert, papermill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import HEAD, LOAD

pytestmark = pytest.mark.e2e

CELLS = [
    "x = 20\nprint('printed')\nx + 1",
    "from IPython.display import Markdown, display\ndisplay(Markdown('# t'))\nx",
]
NEVER = "print('must not run')"


@pytest.fixture(scope="module")
def headless(isolation: Isolation) -> Iterator[Isolation]:
    """The isolated user, whose sessions end with the module."""
    yield isolation
    run(isolation, "choline_jupyter", "stop", "--all", "--yes")


def run(isolation: Isolation, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=False,
        env=isolation.environment,
        cwd=isolation.folder,
        capture_output=True,
        text=True,
        timeout=50,
    )


def make_notebook(*sources: str) -> NotebookNode:
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [new_code_cell(source) for source in (LOAD, *sources)]
    notebook: NotebookNode = new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    return notebook


def execute(isolation: Isolation, notebook: NotebookNode, *, allow_errors: bool = False) -> str:
    """Run All, as nbclient does; returns what it says when a cell fails."""
    client = NotebookClient(
        notebook, allow_errors=allow_errors, resources={"metadata": {"path": str(isolation.folder)}}
    )
    try:
        client.execute(env=isolation.environment)
    except CellExecutionError as error:
        return str(error)
    return ""


def list_outputs(notebook: NotebookNode) -> list[list[dict[str, Any]]]:
    """The outputs of each cell behind the one with `%load_ext`."""
    return [[dict(output) for output in cell.outputs] for cell in notebook.cells[1:]]


def both(*cells: str) -> tuple[NotebookNode, NotebookNode]:
    return make_notebook(*cells), make_notebook(*(HEAD + cell for cell in cells))


def test_run_all(headless: Isolation) -> None:
    plain, remote = both(*CELLS)
    assert [execute(headless, notebook) for notebook in (plain, remote)] == ["", ""]
    assert list_outputs(remote) == list_outputs(plain)
    assert list_outputs(remote)[0][-1]["data"]["text/plain"] == "21"


def test_run_all_stops_at_the_cell_that_fails(headless: Isolation) -> None:
    plain, remote = both("print(1)\n1 / 0", NEVER)
    plain_end, remote_end = (execute(headless, notebook) for notebook in (plain, remote))
    assert remote_end.replace(HEAD, "") == plain_end
    assert "ZeroDivisionError" in remote_end
    assert list_outputs(remote) == list_outputs(plain)
    assert "must not run" not in str(list_outputs(remote))


def test_errors_that_are_allowed_are_recorded(headless: Isolation) -> None:
    plain, remote = both("print(1)\n1 / 0", "'after'")
    assert [execute(headless, notebook, allow_errors=True) for notebook in (plain, remote)] == ["", ""]
    assert list_outputs(remote) == list_outputs(plain)


def test_nobody_answers_input(headless: Isolation) -> None:
    _, remote = both("input('Anybody? ')")
    assert "StdinNotImplementedError" in execute(headless, remote)


def write(isolation: Isolation, name: str) -> Path:
    path = isolation.folder / name
    _, remote = both(*CELLS)
    nbformat.write(remote, path)
    return path


def test_nbconvert(headless: Isolation) -> None:
    path = write(headless, "converted.ipynb")
    said = run(headless, "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path))
    assert said.returncode == 0, said.stderr
    assert list_outputs(nbformat.read(path, as_version=4))[0][-1]["data"]["text/plain"] == "21"


def test_papermill(headless: Isolation) -> None:
    target = headless.folder / "target.ipynb"
    said = run(headless, "papermill", "--log-output", str(write(headless, "source.ipynb")), str(target))
    assert said.returncode == 0, said.stderr
    assert list_outputs(nbformat.read(target, as_version=4))[0][-1]["data"]["text/plain"] == "21"
