"""Requirements read without a library: as `packaging` reads them, or not judged at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Judge
from packaging.utils import canonicalize_name

from choline_jupyter.model.requirement import find_difference, normalize, read_requirement

NUMBERS = st.lists(st.integers(0, 20), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
CLAUSES = st.tuples(st.sampled_from(["==", "!=", "<=", ">=", "<", ">", "~=", "==="]), NUMBERS).map("".join)


@given(st.lists(CLAUSES, max_size=3), NUMBERS)
def test_versions_are_judged_as_by_packaging(clauses: list[str], version: str) -> None:
    text = "name" + ",".join(clauses)
    try:
        expected = Judge(text).specifier.contains(version)
    except InvalidRequirement:  # ~=1
        return
    if any(clause.startswith("===") for clause in clauses):  # text for text; here by numbers, which asks for less
        return
    assert read_requirement(text).admits(version) is expected


@pytest.mark.parametrize(
    ("wish", "version", "admitted"),
    [
        ("a==2.13.0", "2.13.0+cu130", True),
        ("a==2.13.0+cu130", "2.13.0+cu130", True),
        ("a==2.13.0+cu126", "2.13.0+cu130", False),
        ("a==2.*", "2.13", True),
        ("a!=2.*", "2.13", False),
        ("a>=2", "2.13.0+cpu", True),
        ("a>=2.0rc1", "2.13", None),
        ("a==2.0rc1", "2.0rc1", True),
        ("a @ https://host.example/a.whl", "1", None),
        ("a", "1", True),
    ],
)
def test_versions(wish: str, version: str, admitted: bool | None) -> None:
    assert read_requirement(wish).admits(version) is admitted


@pytest.mark.parametrize(
    ("text", "any_version"),
    [
        ("Ab_C[x, y] >= 1 ; python_version < '4'", "ab-c[x,y] ; python_version < '4'"),
        ("a (>=1)", "a"),
        ("a[x]==1", "a[x]"),
        ("a @ https://host.example/a.whl", "a @ https://host.example/a.whl"),
    ],
)
def test_the_same_in_any_version(text: str, any_version: str) -> None:
    assert read_requirement(text).spell_any() == any_version


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    read_requirement(text).admits("1.0")


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True))
def test_names_are_compared_as_indexes_do(name: str) -> None:
    assert normalize(name) == canonicalize_name(name)


def test_a_difference_is_told() -> None:
    there = {"torch": "2.13.0+cu130"}
    assert find_difference(read_requirement("torch==2.12.0"), there) == "your torch 2.12.0 -> image 2.13.0+cu130"
    assert find_difference(read_requirement("torch>=3"), there) == "your torch >=3 -> image 2.13.0+cu130"
    assert find_difference(read_requirement("torch==2.13.0"), there) == ""
    assert find_difference(read_requirement("numpy==1"), there) == ""
