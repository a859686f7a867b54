"""notebooks/execute.py shows what a notebook prints and keeps what was executed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.source_tree import ROOT

pytestmark = pytest.mark.e2e
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def execute(folder: Path, *cells: NotebookNode) -> tuple[subprocess.CompletedProcess[str], NotebookNode]:
    source, output = folder / "in.ipynb", folder / "out.ipynb"
    nbformat.write(new_notebook(cells=list(cells)), source)
    command = [sys.executable, str(ROOT / "notebooks" / "execute.py"), str(source), str(output)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    return ran, nbformat.read(output, as_version=4)


def test_prose_and_output_appear_in_order(tmp_path: Path) -> None:
    ran, executed = execute(
        tmp_path,
        new_markdown_cell("# A title"),
        new_code_cell("import pathlib\nprint('here:', pathlib.Path('in.ipynb').exists())"),
        new_code_cell("6 * 7"),
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.index("# A title") < ran.stdout.index("here: True") < ran.stdout.index("42\n")
    assert executed.cells[1].outputs[0].text == "here: True\n"


def test_only_a_tagged_cell_may_fail(tmp_path: Path) -> None:
    tagged = new_code_cell("1/0", metadata={"tags": ["raises-exception"]})
    cells = [tagged, new_code_cell("print('after')"), new_code_cell("[][0]"), new_code_cell("2")]
    ran, executed = execute(tmp_path, *cells)
    assert ran.returncode == 1
    assert COLOUR.sub("", ran.stdout).count("ZeroDivisionError: division by zero") == 1
    assert "out.ipynb" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert [cell.execution_count for cell in executed.cells] == [1, 2, 3, None]


def test_dead_kernel_is_one_sentence(tmp_path: Path) -> None:
    ran, executed = execute(tmp_path, new_code_cell("print('before')"), new_code_cell("import os; os._exit(1)"))
    assert ran.returncode == 1
    assert "The kernel died" in ran.stderr
    assert executed.cells[0].outputs[0].text == "before\n"
