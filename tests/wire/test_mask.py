"""The mask: no value of a secret is left in text, in JSON or in a stream, however it is cut."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

from hypothesis import example, given
from hypothesis import strategies as st

from choline_jupyter.wire.mask import SHORTEST, STARS, Mask, StreamMask

# Few letters, so that values overlap each other and themselves; no star, which is what stands for a value.
LETTERS = st.text("abA\"'\\<&é\n", max_size=12)
VALUES = st.lists(st.text("abA\"'\\<&é", min_size=SHORTEST, max_size=7), min_size=1, max_size=3)
PIECES = st.lists(st.one_of(LETTERS, st.sampled_from(["", "ab", "aab"])), max_size=6)


@given(VALUES, PIECES, st.data())
def test_no_value_is_left_in_a_text(values: list[str], pieces: list[str], data: st.DataObject) -> None:
    text = "".join(piece + data.draw(st.sampled_from(["", *values])) for piece in pieces)
    hidden = Mask(values).hide(text)
    assert not any(value in hidden for value in values)
    assert (hidden == text) == (Mask(values).find(text) == [])


@given(VALUES, PIECES, st.data())
def test_no_value_is_left_in_a_stream_however_it_is_cut(
    values: list[str], pieces: list[str], data: st.DataObject
) -> None:
    text = "".join(piece + data.draw(st.sampled_from(["", *values])) for piece in pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    stream = StreamMask(Mask(values))
    parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    shown = "".join([*map(stream.feed, parts), stream.end()])
    assert not any(value in shown for value in values)
    if not Mask(values).find(text):
        assert shown == text


@given(VALUES, PIECES, st.data())
def test_what_stands_between_two_pieces_does_not_bring_a_value_out(
    values: list[str], pieces: list[str], data: st.DataObject
) -> None:
    text = "".join(piece + data.draw(st.sampled_from(["", *values])) for piece in pieces)
    stream, shown = StreamMask(Mask(values)), ""
    for letter in text:
        shown += stream.feed(letter)
        if data.draw(st.booleans()):
            shown += stream.flush()
    shown += stream.end()
    assert not any(value in shown for value in values)


@example(["abcd", "abcdef"], ["abcd", "ef"], "***")
@example(["abcd"], ["ab", "cd"], "***")
@example(["abcd"], ["xab", "xcd"], "xabxcd")
@example(["abcd", "cdef"], ["abcd", "ef!"], "***!")
@given(st.just(["abcd"]), st.just(["abc", "abcd"]), st.just("abc***"))
def test_examples(values: list[str], parts: list[str], expected: str) -> None:
    stream = StreamMask(Mask(values))
    assert "".join([*map(stream.feed, parts), stream.end()]) == expected


@given(st.text(min_size=SHORTEST, max_size=20).filter(lambda text: text.strip() == text and "*" not in text))
def test_the_forms_in_which_output_shows_a_text(value: str) -> None:
    mask = Mask([value])
    forms = [value, repr(value)[1:-1], json.dumps(value)[1:-1], html.escape(value), quote(value, errors="replace")]
    for form in forms:
        assert mask.hide(f"<{form}>") == f"<{STARS}>"


def test_json_is_hidden_in_every_text_and_stays_json() -> None:
    mask = Mask(['pa"ss\nword'])
    content = {"data": {"text/plain": "'pa\"ss\\nword'", "x": [1, 'pa"ss\nword', None]}, 'pa"ss\nword': True}
    hidden = mask.hide_in_json(json.dumps(content).encode())
    assert json.loads(bytes(hidden)) == {"data": {"text/plain": "'***'", "x": [1, "***", None]}, "***": True}
    harmless = b'{"a": 1}'
    assert mask.hide_in_json(harmless) is harmless


def test_the_lines_of_a_long_value_are_hidden_too_and_short_values_are_not() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nEND"
    assert Mask([key]).hide("  MIIEvQIBADANBgkq\n") == "  ***\n"
    assert Mask(["abc"]).hide("abc") == "abc"


def test_bytes_are_looked_through_beyond_a_piece() -> None:
    mask = Mask(["password"])
    assert mask.is_in(b"x" * ((1 << 20) - 3) + b"password" + b"x" * 10)
    assert not mask.is_in(b"passwor" * 1000)
