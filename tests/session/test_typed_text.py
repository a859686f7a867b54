"""What was typed into a script is kept whole, or said to be lacking."""

from __future__ import annotations

import pytest

from choline_jupyter.session import typed_text
from choline_jupyter.session.typed_text import TypedText


def test_lines_come_again_in_their_order() -> None:
    typed = TypedText()
    told = [typed.add(1, "Ada\n", is_end=False), typed.add(2, "", is_end=True)]
    assert typed.list() == told
    assert typed.lacks == ""


def test_nobody_types() -> None:
    assert TypedText().list() == [{"seq": 1, "value": "", "eof": True}]


def test_somebody_may_still_type() -> None:
    typed = TypedText()
    typed.is_open = True
    assert typed.list() == []


def test_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_text, "_LARGEST", 5)
    typed = TypedText()
    typed.add(1, "1234\n", is_end=False)
    assert not typed.lacks
    typed.add(2, "5", is_end=False)
    assert "larger than what is kept" in typed.lacks
