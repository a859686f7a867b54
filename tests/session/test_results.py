"""What a machine says of variables is checked before it is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.errors import CholineError, CorruptBlob, RequestError
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.session.results import check_names, decode, list_told, read_names, read_results

SERIES = Series("s", 1, 0)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "sizes", "blob", "proxy"]), inner)
    ),
    max_leaves=6,
)


def tell(content: Any, *buffers: bytes, kind: Kind = Kind.ARTIFACT) -> Event:
    return Event(SERIES, 1, kind, "j", 1, 0.0, content=json.dumps(content).encode(), buffers=buffers)


def value(name: str, **content: Any) -> dict[str, Any]:
    return {"artifact": "value", "name": name, **content}


def test_names_are_read() -> None:
    assert read_names("a, b,,a") == ["a", "b"]
    assert check_names(["ä"]) == ["ä"]


@pytest.mark.parametrize("words", [["a.b"], ["1"], ["for"], [], ["x; y"], ["a"] * 101])
def test_what_is_no_name_is_refused(words: list[str]) -> None:
    with pytest.raises(RequestError):
        check_names(words)


def test_a_value_in_the_event() -> None:
    [result] = read_results([tell(value("x", sizes=[3]), b"[1]")], ["x"])
    assert decode("x", [bytearray(part) for part in result.parts]) == [1]


def test_only_names_that_were_asked_for_are_taken() -> None:
    told = [
        tell(value("print", sizes=[1]), b"1"),
        tell(value("x", missing=True)),
        tell({"artifact": "file", "name": "y"}),
    ]
    found = read_results([*told, tell(value("y", sizes=[1]), b"1", kind=Kind.STREAM)], ["x", "y"])
    assert [result.failure for result in found] == ["There is no x in the session.", "The session said nothing of y."]


def test_names_that_were_told_of_are_names() -> None:
    assert list_told([tell(value("x")), tell(value("x")), tell(value("rm -rf")), tell([1])]) == ["x"]


@pytest.mark.parametrize(
    "content",
    [
        {"sizes": []}, {"sizes": [2]}, {"sizes": [-1, 4]}, {"sizes": [3.0]}, {"sizes": "3"}, {}, {"sizes": [True, 2]},
        {"sizes": [3], "blob": "../../etc/passwd"}, {"sizes": [3], "blob": "A" * 64}, {"sizes": [3, 10**18]},
    ],
)  # fmt: skip
def test_what_does_not_add_up_is_damaged(content: dict[str, Any]) -> None:
    [result] = read_results([tell(value("x", **content), b"[1]")], ["x"])
    assert (result.failure, result.parts) == ("x came damaged.", ())


def test_what_is_shown_is_text() -> None:
    proxy = {"repr": "\x1b]0;title\x07a\x1b[31mb" + "x" * 9000, "type": 3, "why": None}
    [result] = read_results([tell(value("x", proxy=proxy))], ["x"])
    assert "\x07" not in result.shown
    assert len(result.shown) <= 2000
    assert (result.type, result.why) == ("3", "None")


@given(content=JSON)
def test_nonsense_is_a_result_of_its_own(content: Any) -> None:
    told = {**content, "artifact": "value"} if isinstance(content, dict) else content
    [result] = read_results([tell(told)], ["x"])
    assert result.failure or result.blob or result.why


@pytest.mark.parametrize("part", [b"", b"{", b'{"t": "pickle"}', b'{"t": "bytes", "b": 0}', b"[" * 100_000])
def test_what_cannot_be_read_is_said(part: bytes) -> None:
    with pytest.raises(CorruptBlob, match="x came in a form"):
        decode("x", [bytearray(part)])


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(CholineError, match="x needs pandas"):
        decode("x", [bytearray(b'{"t": "pd.missing", "v": "NA"}')])
