"""Instances of the notebook's classes go out as their fields; nothing that comes in is made into one."""

from __future__ import annotations

import enum
from argparse import Namespace
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

from choline_jupyter.wire.value import Unsendable, decode_value
from tests.wire.carrying import carry


def make_class(**names: Any) -> type:
    """A class as a cell of the notebook makes it."""
    return type("Made", (), {"__module__": "__main__", **names})


def test_instances_are_their_fields_on_the_way_out() -> None:
    made: Any = make_class(__init__=None)
    value = made.__new__(made)
    value.x, value.itself = [1, (2,)], {"a": np.eye(2)}
    back: Any = carry({"key": value}, {"Made": made})["key"]
    assert type(back) is made
    assert back.x == [1, (2,)]
    assert back.itself["a"].sum() == 2


def test_named_tuples_and_members_too() -> None:
    pair: Any = namedtuple("pair", "x y")  # noqa: PYI024 - the kind that notebooks make
    color: Any = enum.Enum("color", "RED")
    for kind in (pair, color):
        kind.__module__ = "__main__"
    back = carry([pair(1, [2]), color.RED], {"pair": pair, "color": color})
    assert type(back[0]) is pair
    assert back == [(1, [2]), color.RED]


@pytest.mark.parametrize(
    "made",
    [
        make_class(__reduce__=lambda self: (int, ())), make_class(__setstate__=lambda self, state: None),
        make_class(__slots__=("a",)), make_class(__getstate__=lambda self: {}), make_class(__getnewargs__=lambda self: ()),
        type("Made", (dict,), {"__module__": "__main__"}), type("Made", (Namespace,), {"__module__": "__main__"}),
    ],
)  # fmt: skip
def test_instances_that_are_more_than_their_fields_stay(made: type) -> None:
    with pytest.raises(Unsendable, match="Made"):
        carry(made(), {"Made": made})


@pytest.mark.parametrize(
    "told",
    [
        {"t": "instance", "of": "Made", "v": []}, {"t": "namedtuple", "of": "Made", "v": [1]},
        {"t": "member", "of": "Made", "v": "A"},
    ],
)  # fmt: skip
def test_what_comes_back_is_never_made_into_an_instance(told: Any) -> None:
    with pytest.raises(KeyError):
        decode_value(told, [])
