"""What may stand next in a `%%choline` line, as IPython's completer asks it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.magic.completion import complete


def ask(line: str) -> list[str]:
    word = "" if line.endswith(" ") else line.rsplit(" ", maxsplit=1)[-1]
    return complete(None, SimpleNamespace(line=line, symbol=word))


def test_options_of_a_cell() -> None:
    assert ask("%%choline --ses") == ["--session"]
    assert "--gpu" in ask("%%choline ")
    assert "--all" not in ask("%%choline ")


def test_verbs_and_their_options() -> None:
    assert ask("%choline st") == ["status", "stop"]
    assert "--all" in ask("%choline stop --")
    assert "--gpu" not in ask("%choline stop --")


def test_names_that_options_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = tmp_path / "choline" / "config.toml"
    config.parent.mkdir()
    config.write_text('[hosts.lab]\nhost = "anna@lab"\n')
    assert ask("%%choline --host ") == ["lab"]
    assert "a100" in ask("%%choline --gpu a1")
    assert ask("%%choline --provider l")[-1].startswith("l")
    config.write_text("no toml")
    assert ask("%%choline --host x") == []


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_line_is_completed(line: str, word: str) -> None:
    complete(None, SimpleNamespace(line=f"%%choline {line}{word}", symbol=word))
