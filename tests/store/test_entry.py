"""Entries as they travel: what is none never becomes a path."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.store.entry import Entry, EntryError, check_path, read_entry, write_entry

DIGEST = "a" * 64
PARTS = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40).filter(
    lambda part: part not in (".", "..")
)


@given(st.lists(PARTS, min_size=1, max_size=6), st.integers(0, 0o777), st.integers(0, 1 << 50), st.integers(0, 1 << 60))
def test_what_is_written_is_read(parts: list[str], mode: int, size: int, mtime: int) -> None:
    entry = Entry("/".join(parts), "file", mode, size, DIGEST, "", mtime)
    assert read_entry(json.loads(json.dumps(write_entry(entry)))) == entry


def test_a_name_that_is_no_text_survives() -> None:
    name = b"a\xff/b\xfe".decode("utf-8", "surrogateescape")
    assert read_entry(json.loads(json.dumps(write_entry(Entry(name, digest=DIGEST))))).path == name


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_anything_else_is_refused(told: object) -> None:
    with pytest.raises(EntryError):
        read_entry(told)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a\0b", "x" * 256, "a/" * 2100 + "a", "\ud800"]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(EntryError):
        check_path(path)


@pytest.mark.parametrize(
    "entry",
    [
        Entry("a", "socket"),
        Entry("a", "file"),
        Entry("a", "file", digest="A" * 64),
        Entry("a", "folder", digest=DIGEST),
        Entry("a", "file", 0o4755, 0, DIGEST),
        Entry("a", "file", 0o644, -1, DIGEST),
        Entry("a", "file", 0o644, True, DIGEST),
        Entry("a", "link", target="/etc/passwd"),
        Entry("a", "link", target="../b"),
        Entry("a/b", "link", target="../../c"),
        Entry("a/b", "link", target="x/../../../c"),
        Entry("a", "link"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(entry: Entry) -> None:
    with pytest.raises(EntryError):
        read_entry(write_entry(entry))


@pytest.mark.parametrize("target", ["b", "../b", "c/d", "./b", "../a/b"])
def test_a_link_inside_is_taken(target: str) -> None:
    assert read_entry(write_entry(Entry("a/l", "link", target=target))).target == target
