"""A JupyterLab extension that runs cells in its own way, as those do whose server keeps the outputs. Installed by tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "other-executor"
_PACKAGE = {
    "name": NAME,
    "version": "0.1.0",
    "jupyterlab": {
        "extension": True,
        "disabledExtensions": ["@jupyterlab/notebook-extension:cell-executor"],
        "_build": {"load": "static/entry.js", "extension": "./extension"},
    },
}
_ENTRY = """
let shared;
const container = {
  init: scope => { shared = scope; },
  get: async () => {
    const [notebook] = Object.values(shared['@jupyterlab/notebook']);
    const { INotebookCellExecutor, runCell } = (await notebook.get())();
    const plugin = {
      id: 'other-executor:plugin', autoStart: true, provides: INotebookCellExecutor, activate: () => ({ runCell })
    };
    return () => ({ __esModule: true, default: plugin });
  }
};
(window._JUPYTERLAB = window._JUPYTERLAB || {})['other-executor'] = container;
"""


@contextmanager
def installed(data: Path) -> Iterator[None]:
    """Pages that are opened meanwhile have it; `data` is the user's folder of Jupyter's data."""
    folder = data / "labextensions" / NAME
    (folder / "static").mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps(_PACKAGE))
    (folder / "static" / "entry.js").write_text(_ENTRY)
    try:
        yield
    finally:
        shutil.rmtree(folder)
