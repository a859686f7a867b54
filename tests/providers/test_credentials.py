"""Keys are found where the providers' own tools keep them, in the forms that those write."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from choline_jupyter.providers.credentials import Secret, find_key, save_key


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without a keyring and without keys."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("ACME_KEY", raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("abc123\n", "abc123"),
        ("api_key = abc123\n", "abc123"),
        ("apikey = 'abc123'\napiurl = 'https://api.example.org/graphql'\n", "abc123"),
        ('[default]\napi_key = "abc123"\n', "abc123"),
        ("api_key: abc123\n", "abc123"),
        ("apiurl = 'https://api.example.org'\n", None),
        ("", None),
        ("two words\n", None),
        ("my_api_key_file = x y\n", None),
    ],
)
def test_a_file_holds_the_key_alone_or_a_line_with_it(home: Path, text: str, key: str | None) -> None:
    (home / "acme").write_text(text)
    assert find_key("acme", (), ("~/acme",)) == key


def test_a_variable_goes_before_files_and_those_before_what_login_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_key("acme", ("ACME_KEY",), ("~/acme",)) is None
    save_key("acme", "kept")
    assert find_key("acme", ("ACME_KEY",), ("~/acme",)) == "kept"
    (home / "acme").write_text("own")
    assert find_key("acme", ("ACME_KEY",), ("~/acme",)) == "own"
    monkeypatch.setenv("ACME_KEY", " said \n")
    assert find_key("acme", ("ACME_KEY",), ("~/acme",)) == "said"


def test_what_is_no_text_is_no_key(home: Path) -> None:
    (home / "acme").write_bytes(b"\xff\xfe\x00")
    assert find_key("acme", (), ("~/acme", "~/missing", "~")) is None


def test_a_key_does_not_show_itself() -> None:
    assert "abc123" not in repr(Secret("abc123"))
