"""Terminal text from a stranger: only colours and line control come through, however it is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from choline_jupyter.session.ansi import Sanitiser, sanitise

ALLOWED = re.compile(r"\x1b\[(?:[0-9;:]*m|[0-2]?K|[0-9]{0,3}A)")
CONTROL = re.compile("[\x00-\x07\x0b-\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

PIECES = st.sampled_from(
    [
        *["\x1b", "\x1b[", "\x1b]", "\x1bP", "\x1b\\", "\x9b", "\x9d", "\x90", "\x9c", "\x07", "\x18", "\x1a"],
        *["[", "]", "m", "K", "A", "31", "0;1", "?25", ";", ":", " ", "/", "h", "52;c;"],
        *["\n", "\r", "\b", "\t", "\0", "\x7f", "\ud83d", "é", "日"],
    ]
)
TEXT = st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=30).map("".join)


@pytest.mark.parametrize(
    "text",
    [
        "plain\ttext\r\n",
        "\x1b[31mred\x1b[0m \x1b[1;38;5;196mbold\x1b[m",
        "\x1b[38;2;255;128;0;48;2;255;255;255mrgb\x1b[38:2::1:2:3m",
        " 10%|#   |\r 20%|##  |\r\x1b[K\x1b[2K",
        "\n\x1b[A\x1b[1A\x1b[12A",
        "ab\b\bcd",
        "naïve 日本語 😀\u00a0\u200d",
    ],
)
def test_colours_and_line_control_stay(text: str) -> None:
    assert sanitise(text) == text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]2;title\x1b\\x", "x"),
        ("\x1b]52;c;cm0gLXJmIH4=\x07x", "x"),  # clipboard
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]1337;File=name=eA==;inline=1:AAAA\x07x", "x"),
        ("\x1b]50;CursorShape=1\x9cx", "x"),
        ("\x9d0;title\x9cx", "x"),  # 8-bit
        ("\x9b31mx", "x"),
        ("\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\x", "x"),  # through tmux
        ("\x1bP+q544e\x1b\\x", "x"),  # query
        ("\x90q#0;1;1\x9cx", "x"),
        ("\x1b_Gf=24;AAAA\x1b\\x", "x"),  # kitty image
        ("\x1b^private\x1b\\x", "x"),
        ("\x1bXstring\x1b\\x", "x"),
        ("\x1b[2Jx\x1b[1;1H\x1b[10B\x1b[5C\x1b[5D", "x"),  # screen and cursor
        ("\x1b[?1049hx\x1b[?25l\x1b[?2004h", "x"),
        ("\x1b[6nx\x1b[c\x1b[>c\x1b[21t", "x"),  # queries that answer as if typed
        ("\x1b[>4;1mx\x1b[?4m\x1b[=1m\x1b[<1m", "x"),  # not colours
        ("\x1b[0 Kx\x1b[1 q\x1b[!p", "x"),
        ("\x1b[3Kx\x1b[9999A\x1b[1;1A", "x"),
        ("\x1bcx\x1b7\x1b8\x1b=\x1b>\x1bM\x1b#8", "x"),
        ("\x1b(0x\x1b(B\x1b%G", "x"),  # character sets
        ("\x0ex\x0f\x05\x07\x0b\x0c\x00\x7f\x85", "x"),
        ("\x1b\x1b\x1b[31\x1b[31mx", "\x1b[31mx"),
        ("\x1b]0;never ended\nx", "\nx"),
        ("\x1b[31\nx", "\nx"),
        ("\x1b[" + "1;" * 100 + "mx", "x"),
        ("half a \ud83d character", "half a \ufffd character"),
        ("x\x1b", "x"),
        ("x\x1b[1;3", "x"),
        ("x\x1b]0;tit", "x"),
    ],
)
def test_everything_else_goes(hostile: str, shown: str) -> None:
    assert sanitise(hostile) == shown


@given(TEXT)
def test_only_the_allowed_forms_come_through(text: str) -> None:
    assert not CONTROL.search(ALLOWED.sub("", sanitise(text)))


@given(TEXT)
def test_sanitising_twice_changes_nothing(text: str) -> None:
    assert sanitise(sanitise(text)) == sanitise(text)


@given(TEXT, st.lists(st.integers(0, 100), max_size=6))
@example("\x1b[" + "1;" * 60 + "m\x1b[31mx", [3, 50, 100])
@example("\x1b]0;a\x1b\\b", [1, 2, 3, 4, 5, 6])
def test_cutting_anywhere_gives_the_same_text(text: str, cuts: list[int]) -> None:
    ends = [*sorted(cuts), len(text)]
    sanitiser = Sanitiser()
    chunks = [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    assert "".join(sanitiser.feed(chunk) for chunk in chunks) == sanitise(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"])))
def test_printable_text_is_never_touched(text: str) -> None:
    assert sanitise(text) == text


@pytest.mark.parametrize("start", ["\x1b[", "\x1b]", "\x1b ", "\x90"])
def test_a_sequence_that_never_ends_costs_no_memory(start: str) -> None:
    sanitiser = Sanitiser()
    for chunk in [start, *["1" * 1000] * 100]:
        assert len(sanitiser.feed(chunk)) <= 1000
    assert len(sanitiser._open) < 100
