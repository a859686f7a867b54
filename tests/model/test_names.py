"""Identifiers: what is made is accepted, what could leave its folder is not."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.model.names import check_identifier, make_identifier


def test_what_is_made_is_accepted_and_new() -> None:
    made = {make_identifier("j") for _ in range(200)}
    assert len(made) == 200
    assert all(check_identifier(name) == name and name.startswith("j-") for name in made)


def test_identifiers_sort_by_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for second in (1, 31, 32, 1_000, 1_700_000_000, 2_000_000_000):
        monkeypatch.setattr("time.time", lambda second=second: float(second))
        made.append(make_identifier("s"))
    assert made == sorted(made)


@settings(deadline=None)
@given(st.text(max_size=70))
def test_what_is_accepted_is_one_harmless_path_component(text: str) -> None:
    try:
        name = check_identifier(text)
    except ValueError:
        return
    assert PurePosixPath("/a", name).parts == ("/", "a", name)
    assert name.isascii()
    assert not set(name) & set(" .$;&|\\'\"\n\0")


@pytest.mark.parametrize("value", ["", "a", "-a", "..", "a/b", "A1", "ab\n", "a" * 64, "é1", None, 3, b"ab"])
def test_these_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        check_identifier(value)
