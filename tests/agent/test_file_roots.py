"""Roots: one folder, three names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.agent.file_roots import Spot, join_paths, read_roots

PARTS = st.lists(st.text("ab .\n", min_size=1).filter(lambda part: part not in (".", "..")), min_size=1, max_size=4)


def make_path(parts: list[str]) -> str:
    return "/" + "/".join(parts)


def test_a_root_may_have_another_name_for_each() -> None:
    roots = read_roots({"roots": ["/a", "/a/b/"]}, {"/a/b": ("/seen", "/place")})
    assert roots.find_seen("/seen/x") == roots.find_path("/a/b/x") == Spot("/a/b/x", "/seen/x", "/place/x")
    assert roots.find_path("/a/c") == Spot("/a/c", "/a/c", "/a/c")
    assert roots.find_seen("/seen") == Spot("/a/b", "/seen", "/place")


@pytest.mark.parametrize("path", ["/", "/ab", "/b", "a", ""])
def test_what_is_outside_is_nowhere(path: str) -> None:
    roots = read_roots({"roots": ["/a"]}, {})
    assert roots.find_seen(path) is None
    assert roots.find_path(path) is None


def test_a_relative_root_is_refused() -> None:
    with pytest.raises(ValueError, match="not an absolute path"):
        read_roots({"roots": ["a"]}, {})


@given(PARTS, PARTS)
def test_both_ways_lead_to_the_same_spot(root: list[str], rest: list[str]) -> None:
    path = make_path([*root, *rest])
    roots = read_roots({"roots": [make_path(root)]}, {make_path(root): ("/s", "/p")})
    spot = roots.find_path(path)
    assert spot
    assert roots.find_seen(spot.seen) == spot
    assert spot.place == "/p" + make_path(rest)


@given(st.lists(PARTS.map(make_path), max_size=4))
def test_a_joined_list_can_be_taken_apart(paths: list[str]) -> None:
    joined = join_paths(paths)
    assert [path if number == 0 else "/" + path for number, path in enumerate(joined.split("//")) if path] == paths
