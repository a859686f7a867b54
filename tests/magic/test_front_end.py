"""Which front end it is, by what each of them sets in its kernels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from choline_jupyter.magic.front_end import COLAB, VSCODE, find_front_end

MARKS = ("VSCODE_PID", "JPY_SESSION_NAME", "COLAB_RELEASE_TAG")


@pytest.mark.parametrize(
    ("environment", "names", "front_end"),
    [
        ({}, {}, ""),
        ({"JPY_SESSION_NAME": "/a.ipynb"}, {}, ""),
        ({}, {"__vsc_ipynb_file__": "/a.ipynb"}, VSCODE),
        (
            {"JPY_SESSION_NAME": "/a.ipynb"},
            {"__vsc_ipynb_file__": "/a.ipynb"},
            VSCODE,
        ),  # at a Jupyter server of the user's
        ({"VSCODE_PID": "1"}, {}, VSCODE),
        ({"VSCODE_PID": "1", "JPY_SESSION_NAME": "/a.ipynb"}, {}, ""),  # JupyterLab from VS Code's terminal
        ({"COLAB_RELEASE_TAG": "release-colab"}, {}, COLAB),
        ({"COLAB_RELEASE_TAG": "release-colab", "JPY_SESSION_NAME": "/content/a.ipynb"}, {}, COLAB),
    ],
)
def test_marks(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], names: dict[str, Any], front_end: str
) -> None:
    for mark in MARKS:
        monkeypatch.delenv(mark, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shell: Any = SimpleNamespace(user_ns=names)
    assert find_front_end(shell) == front_end
