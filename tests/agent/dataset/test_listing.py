"""Pages of what is in a bucket: whatever a service says, it is objects or it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.agent.dataset.listing import Listed, read_page

PIECES = [
    "<Contents>",
    "</Contents>",
    "<Key>",
    "</Key>",
    "<Size>",
    "</Size>",
    "<ETag>",
    "</ETag>",
    "%2F",
    "+",
    "&lt;",
    "9",
]


def test_a_service_that_does_not_encode_names_is_read_too() -> None:
    text = "<ListBucketResult><Contents><Key>a+b&amp;%20</Key><Size>7</Size><ETag>&quot;ab-2&quot;</ETag></Contents>"
    assert read_page(text) == ([Listed("a+b&%20", 7, '"ab-2"')], "")


def test_what_makes_no_sense_is_not_known() -> None:
    text = '<ListBucketResult><Contents><Key>a</Key><Size>-7</Size><ETag>"a\r\nX: y"</ETag></Contents>'
    assert read_page(text) == ([Listed("a", -1, "")], "")


@given(st.lists(st.sampled_from(PIECES) | st.text()).map("".join))
def test_any_text_is_a_page_or_refused(text: str) -> None:
    page = read_page(f"<ListBucketResult>{text}")
    for one in page.objects:
        assert one.size >= -1
        assert not set(one.etag) & set(" \r\n")
    if "<ListBucketResult" not in text:
        with pytest.raises(ValueError, match="no list"):
            read_page(text)
