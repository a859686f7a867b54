"""What the panel is told of a cell's files, by the notebook's own kernel, before the cell runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

MODULE = "choline_jupyter.magic.files_report"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell in a project's folder, which has never run a cell of ours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    (tmp_path / ".env").write_text("KEY=1\n")
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def ask(shell: InteractiveShell, source: str) -> dict[str, Any]:
    """As the front end asks: an expression whose value comes back as JSON."""
    expression = f"__import__({MODULE!r}, fromlist=['x']).report_files({json.dumps(source)})"
    answer = shell.user_expressions({"files": expression})["files"]
    assert answer["status"] == "ok", answer
    told: dict[str, Any] = answer["data"]["application/json"]
    return told


def test_what_goes_and_what_stays(shell: InteractiveShell) -> None:
    told = ask(shell, "%%choline --host me@big\nrows = open('rows.csv').read()\nkeys = open('.env').read()\n")
    files = {file["path"]: file for file in told["files"]}
    assert (told["machine"], told["shares"], told["count"], told["size"]) == ("me@big", False, 1, 8)
    assert files["rows.csv"]["held"] == ""
    assert files["rows.csv"]["why"]
    assert files[".env"]["held"]
    assert told["files"][0]["path"] == ".env"  # what stays is seen first


def test_names_of_earlier_cells_count(shell: InteractiveShell) -> None:
    shell.run_cell("name = 'rows.csv'", store_history=True)
    told = ask(shell, "%%choline --host me@big\nprint(open(name).read())\n")
    assert [file["path"] for file in told["files"]] == ["rows.csv"]


def test_nothing_is_sent_to_this_machine(shell: InteractiveShell) -> None:
    assert ask(shell, "%%choline\nopen('rows.csv')") == {"machine": "this machine", "shares": True}


def test_what_is_wrong_is_said_and_nothing_is_run(shell: InteractiveShell, tmp_path: Path) -> None:
    assert "--hots" in ask(shell, "%%choline --hots me@big\n1")["problem"]
    told = ask(shell, f"%%choline --host me@big\nopen({str(tmp_path / 'made')!r}, 'w').write('x')")
    assert told["files"] == []
    assert not (tmp_path / "made").exists()
