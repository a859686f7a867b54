"""What a rented machine may show: data only; what the user's own machine shows: everything."""

from __future__ import annotations

import base64
import html
import json
import re
from html.parser import HTMLParser
from typing import Any

import mistune
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.model.event import Kind
from choline_jupyter.model.session import Trust
from choline_jupyter.session.ansi import sanitise
from choline_jupyter.session.trust import OutputFilter, filter_content
from tests.session.hostile import HTML, LATEX, MARKDOWN, ONLOAD, OTHER, PIXEL

SHOWN = {
    "text/plain",
    "text/markdown",
    "text/latex",
    "text/html",
    "application/json",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
}
POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
ESCAPES = "\x1b]52;c;eA==\x07\x1b[31mred\x1b[0m\x1b[2J"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class Tags(HTMLParser):
    """The tags of a piece of HTML, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), "an attribute is given twice: the first counts"
        self.tags.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def show(kind: Kind, content: dict[str, Any], metadata: dict[str, Any] | None = None) -> Any:
    return filter_content(kind, content, metadata or {}, Trust.RENTED)


def show_bundle(data: Any, metadata: Any = None) -> dict[str, Any]:
    content = show(Kind.DISPLAY, {"data": data, "metadata": metadata or {}, "transient": {}})
    assert set(content) == {"data", "metadata", "transient"}
    assert set(content["data"]) <= SHOWN
    assert isinstance(content["data"]["text/plain"], str)
    json.dumps(content, allow_nan=False).encode()
    bundle: dict[str, Any] = content["data"]
    return bundle


def open_frame(shown: str) -> tuple[str, str]:
    """The document in the frame and the text kept for those who remove it; fails if it is anything but our frame."""
    (frame, attributes), (inner, none) = Tags(shown).tags
    assert (frame, inner, none) == ("iframe", "pre", {})
    document = attributes.pop("srcdoc") or ""
    height = attributes.pop("height") or ""
    assert attributes == {
        "sandbox": "",
        "referrerpolicy": "no-referrer",
        "title": "output of a rented machine",
        "width": "100%",
        "style": "border:0;resize:vertical",
    }
    assert 40 <= int(height) <= 600
    match = re.fullmatch(r"<iframe [^<>]*><pre>([^<>]*)</pre></iframe>", shown)
    assert match, "no raw bracket but our own"
    return document, html.unescape(match[1])


MESSAGES: list[tuple[Kind, dict[str, Any]]] = [
    (Kind.STREAM, {"name": "stdout", "text": ESCAPES}),
    (Kind.DISPLAY, {"data": {"application/javascript": "x"}, "metadata": {"isolated": True}, "transient": {}}),
    (Kind.UPDATE, {"data": {"text/html": "<script>"}, "metadata": {}, "transient": {"display_id": "d"}}),
    (Kind.RESULT, {"data": {"text/plain": ESCAPES}, "metadata": {}, "execution_count": 3}),
    (Kind.ERROR, {"ename": "E", "evalue": ESCAPES, "traceback": [ESCAPES]}),
    (Kind.COMM, {"comm_id": "c", "data": {}}),
    (Kind.INPUT, {"prompt": ESCAPES, "password": False}),
    (Kind.CLEAR, {"wait": True}),
    (Kind.STATE, {"payload": [{"source": "set_next_input", "text": "x"}]}),
]


@pytest.mark.parametrize("trust", [Trust.OWN, Trust.TRUSTED])
@pytest.mark.parametrize(("kind", "content"), MESSAGES)
def test_the_own_and_the_trusted_machine_pass_unchanged(trust: Trust, kind: Kind, content: dict[str, Any]) -> None:
    metadata = {"isolated": True}
    passed = OutputFilter(trust).filter_message(kind, content, metadata)
    assert passed is not None
    assert passed[0] is content
    assert passed[1] is metadata
    assert filter_content(kind, content, metadata, trust) is content


@pytest.mark.parametrize("source", HTML)
def test_html_is_shown_in_a_sealed_frame_only(source: str) -> None:
    bundle = show_bundle({"text/html": source, "text/plain": "<Table & more>"})
    assert set(bundle) == {"text/html", "text/plain"}
    document, kept = open_frame(bundle["text/html"])
    assert document.startswith('<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy"')
    assert Tags(document.split("<style>")[0]).tags[1][1]["content"] == POLICY
    assert document.endswith(sanitise(source))
    assert kept == bundle["text/plain"] == "<Table & more>"


@given(st.text(), st.text())
def test_no_html_breaks_out_of_its_frame(source: str, text: str) -> None:
    bundle = show_bundle({"text/html": source, "text/plain": text})
    document, kept = open_frame(bundle["text/html"])
    assert document.endswith(sanitise(source))
    assert kept == bundle["text/plain"]


def test_a_script_that_does_not_run_is_said() -> None:
    document, _ = open_frame(show_bundle({"text/html": "<SCRIPT>draw()</SCRIPT>"})["text/html"])
    assert "[Scripts from a rented machine do not run. With --trust they do.]" in document
    document, _ = open_frame(show_bundle({"text/html": "<b>x</b>"})["text/html"])
    assert "Scripts" not in document


def test_frames_grow_with_their_content() -> None:
    heights = [
        int(re.findall(r'height="(\d+)"', show_bundle({"text/html": "<tr>" * rows})["text/html"])[0])
        for rows in (0, 5, 500)
    ]
    assert heights == [40, 160, 600]


@pytest.mark.parametrize("source", MARKDOWN)
def test_markdown_holds_no_html_and_no_address(source: str) -> None:
    shown = show_bundle({"text/markdown": source, "text/plain": "x"})["text/markdown"]
    for escape in (False, True):
        rendered = mistune.create_markdown(escape=escape)(shown)
        assert isinstance(rendered, str)
        assert {tag for tag, _ in Tags(rendered).tags} <= {"p", "em", "strong", "code", "pre"}
        assert not [attributes for _, attributes in Tags(rendered).tags if attributes]


@given(
    st.lists(
        st.sampled_from(["<", "b", "/", "!", "]", "[", "(", ")", ":", "x", " ", "\n", "javascript", ">", "`", "\\"])
    )
)
def test_no_markdown_makes_a_tag_or_a_link(parts: list[str]) -> None:
    shown = show_bundle({"text/markdown": "".join(parts)})["text/markdown"]
    rendered = mistune.create_markdown(escape=False)(shown)
    assert isinstance(rendered, str)
    assert not {tag for tag, _ in Tags(rendered).tags} & {"a", "b", "x", "img", "javascript"}


def test_markdown_keeps_what_is_no_markup_of_pages() -> None:
    source = "# Title\n\n| a | b |\n|---|---|\n| 1 | *2* |\n\n$a < b \\le c$ and `x[1]`\n\n> quote\n"
    assert show_bundle({"text/markdown": source})["text/markdown"] == source


@pytest.mark.parametrize("source", LATEX)
def test_latex_holds_no_address_and_no_attributes(source: str) -> None:
    for kind in ("text/latex", "text/markdown"):
        shown = show_bundle({kind: source})[kind]
        commands = set(re.findall(r"\\([A-Za-z]+)", shown))
        assert commands <= {"let", "x", "endcsname"}
        assert "<script" not in shown


def test_latex_keeps_mathematics() -> None:
    source = r"$$\int_0^1 \frac{x^2}{\sqrt{1 - x}} \, dx \quad a < b \\ \urcorner \dataset \hrefs$$"
    assert show_bundle({"text/latex": source})["text/latex"] == source


@pytest.mark.parametrize("bundle", OTHER)
def test_what_is_no_data_is_left_out_and_said(bundle: dict[str, Any]) -> None:
    assert show_bundle({**bundle, "text/plain": "the text"}).keys() == {"text/plain"}
    shown = show_bundle({**bundle, "text/plain": "the text"})["text/plain"]
    assert re.fullmatch(r"the text\n\[Left out, from a rented machine: .*\. With --trust it is shown\.\]", shown)
    assert sanitise(shown) == shown
    assert show_bundle(bundle)["text/plain"].startswith("[Left out, ")


def test_the_list_of_attacks_is_long_enough() -> None:
    assert len(HTML) + len(MARKDOWN) + len(LATEX) + len(OTHER) >= 40


def test_what_is_left_out_is_said_above_a_frame_too() -> None:
    bundle = show_bundle({"application/vnd.plotly.v1+json": {}, "text/html": "<div>"})
    document, kept = open_frame(bundle["text/html"])
    assert "<p><small>[Left out, from a rented machine: application/vnd.plotly.v1+json." in document
    assert (
        kept
        == "(text/html)\n[Left out, from a rented machine: application/vnd.plotly.v1+json. With --trust it is shown.]"
    )


def test_many_types_left_out_are_counted() -> None:
    shown = show_bundle({f"x/{'y' * 500}{number}": 0 for number in range(1000)})["text/plain"]
    assert "995 more" in shown
    assert len(shown) < 500


def test_svg_is_shown_as_an_image() -> None:
    bundle = show_bundle({"image/svg+xml": ONLOAD, "text/plain": '"><script>'})
    ((tag, attributes),) = Tags(bundle["text/html"]).tags
    assert (tag, set(attributes)) == ("img", {"src", "alt", "style"})
    prefix, data = (attributes["src"] or "").split(",")
    assert prefix == "data:image/svg+xml;base64"
    assert base64.b64decode(data, validate=True).decode() == ONLOAD
    assert attributes["alt"] == '"><script>'


def test_svg_stands_back_for_a_picture_and_for_html() -> None:
    assert set(show_bundle({"image/svg+xml": ONLOAD, "image/png": PIXEL})) == {"image/png", "text/plain"}
    open_frame(show_bundle({"image/svg+xml": ONLOAD, "text/html": "<b>"})["text/html"])


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n"),
        ("image/jpeg", b"\xff\xd8\xff\xe0"),
        ("image/gif", b"GIF89a"),
        ("image/webp", b"RIFF\n\0\0\0WEBP"),
    ],
)
def test_images_pass(kind: str, head: bytes) -> None:
    image = head + bytes(range(256))
    shown = show_bundle({kind: base64.encodebytes(image).decode(), "text/plain": "<Figure>"})
    assert base64.b64decode(shown[kind], validate=True) == image
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*", shown[kind])
    assert shown["text/plain"] == "<Figure>"


def test_json_passes_as_data() -> None:
    value = {"a": [1, 2.5, None, True, {"b": "\x1b]0;t\x07text"}], "nan": float("nan"), "half": "\ud800"}
    shown = show_bundle({"application/json": value})["application/json"]
    assert shown == {"a": [1, 2.5, None, True, {"b": "text"}], "nan": "nan", "half": "\ufffd"}


def test_deep_json_is_cut() -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    assert json.dumps(show_bundle({"application/json": deep})["application/json"]).count("[") == 64


def test_metadata_keeps_sizes_only() -> None:
    hints = {"width": 300, "height": 2.5, "needs_background": "dark", "onload": "x", "style": "position:fixed"}
    content = {
        "data": {"image/png": PIXEL},
        "metadata": {
            "isolated": True,
            "jupyter:commandlinker": {"command": "x"},
            "tags": ["x"],
            "image/png": hints,
            "image/jpeg": {"width": "100%", "height": float("inf"), "needs_background": ["dark"]},
            "application/json": {"expanded": True, "root": "x"},
            "text/html": {"isolated": True},
            "image/gif": [],
        },
        "transient": {"display_id": "d\x1b]0;t\x07", "other": 1},
        "unknown": "field",
    }
    assert show(Kind.UPDATE, content, {"isolated": True}) == {
        "data": {"image/png": PIXEL, "text/plain": "(image/png)"},
        "metadata": {
            "image/png": {"width": 300, "height": 2.5, "needs_background": "dark"},
            "application/json": {"expanded": True},
        },
        "transient": {"display_id": "d"},
    }
    filtered = OutputFilter(Trust.RENTED).filter_message(Kind.UPDATE, content, {"isolated": True})
    assert filtered is not None
    assert filtered[1] == {}


def test_results_keep_their_count() -> None:
    content = {"data": {"text/plain": "2"}, "metadata": {}, "execution_count": 7}
    assert show(Kind.RESULT, content)["execution_count"] == 7
    assert show(Kind.RESULT, {**content, "execution_count": "<b>"})["execution_count"] is None


def test_streams_errors_and_prompts_are_sanitised() -> None:
    red = "\x1b[31mred\x1b[0m"
    assert show(Kind.STREAM, {"name": "stderr", "text": ESCAPES, "x": 1}) == {"name": "stderr", "text": red}
    assert show(Kind.STREAM, {"name": ["x"], "text": "y"}) == {"name": "stdout", "text": "y"}
    assert show(Kind.STREAM, {"name": "stdout", "text": "\x1b]0;t\x07"}) is None
    error = {"ename": ESCAPES, "evalue": ESCAPES, "traceback": [ESCAPES, 1], "x": 1}
    assert show(Kind.ERROR, error) == {"ename": red, "evalue": red, "traceback": [red, ""]}
    assert show(Kind.INPUT, {"prompt": ESCAPES, "password": 1}) == {"prompt": red, "password": False}
    assert show(Kind.CLEAR, {"wait": True, "x": 1}) == {"wait": True}


def test_an_escape_cut_between_two_messages_is_still_one() -> None:
    outputs = OutputFilter(Trust.RENTED)
    shown = []
    for name, text in [("stdout", "a\x1b]52;c;"), ("stderr", "x\x1b[3"), ("stdout", "eA==\x07b"), ("stderr", "1my")]:
        filtered = outputs.filter_message(Kind.STREAM, {"name": name, "text": text}, {})
        shown.append(filtered and filtered[0]["text"])
    assert shown == ["a", "x", "b", "\x1b[31my"]


@pytest.mark.parametrize("message", [{"comm_id": "c", "target_name": "jupyter.widget", "data": {}}, {}])
def test_no_comm_message_comes_through(message: dict[str, Any]) -> None:
    assert show(Kind.COMM, message) is None


def test_a_reply_cannot_write_into_the_notebook() -> None:
    page = {"source": "page", "data": {"text/plain": ESCAPES, "text/html": "<script>"}, "start": 0}
    writes = [{"source": source, "text": "x", "replace": True} for source in ("set_next_input", "edit", "ask_exit", 3)]
    reply = {
        "status": "ok",
        "payload": [*writes, page, "page"],
        "user_expressions": {"x": {"data": {"text/html": "<script>"}}},
        "evalue": ESCAPES,
    }
    expected = {"status": "ok", "evalue": "\x1b[31mred\x1b[0m"}
    for shown in (show(Kind.STATE, reply), show(Kind.STATE, {"state": "done", "reply": reply})["reply"]):
        (shown_page,) = shown.pop("payload")
        assert shown == expected
        assert (shown_page["source"], shown_page["start"]) == ("page", 0)
        assert shown_page["data"]["text/plain"] == "\x1b[31mred\x1b[0m"
        open_frame(shown_page["data"]["text/html"])


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_a_bundle_that_is_none_is_empty(data: object) -> None:
    assert show_bundle(data) == {"text/plain": ""}


KEYS = ["data", "metadata", "transient", "name", "text", "ename", "evalue", "traceback", "payload", "reply", "prompt"]
contents = st.dictionaries(
    st.sampled_from(KEYS), json_values | st.dictionaries(st.sampled_from(sorted(SHOWN)), json_values)
)


@given(st.sampled_from(list(Kind)), contents)
def test_nothing_a_machine_sends_makes_the_filter_fail(kind: Kind, content: dict[str, Any]) -> None:
    shown = show(kind, content)
    text = json.dumps(shown, allow_nan=False, ensure_ascii=False)
    text.encode()
    for value in strings_of(shown):
        assert sanitise(value) == value


def strings_of(value: Any) -> list[str]:
    """Every string in a JSON value, keys included."""
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in strings_of(item))]
    if isinstance(value, list):
        return [text for item in value for text in strings_of(item)]
    return [value] if isinstance(value, str) else []
