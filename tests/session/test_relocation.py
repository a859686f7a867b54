"""What a machine tells of its names is checked before it is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from choline_jupyter.capture.history import History
from choline_jupyter.capture.relocation import Held, Relocation
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.session.relocation import choose_known, make_wish, read_inventory


def tell(names: Any) -> Event:
    content = json.dumps({"artifact": "inventory", "names": names}).encode()
    return Event(Series("s-1", 1, 0), 1, Kind.ARTIFACT, "j-1", 1, 0.0, content=content)


def test_names_are_read_once() -> None:
    held = read_inventory([tell([["x", "data", "x"], ["x", "module", ""], ["y", "alias", "x"]])])
    assert held == [Held("x", "data", "x"), Held("y", "alias", "x")]


@pytest.mark.parametrize(
    "names",
    [None, 3, "xy", [["x"]], [["x", "data"]], [["a b", "data", ""]], [["x", "nonsense", ""]], [["x", "alias", "gone"]],
     [["x", "alias", "a.b"]], [[["x"], "data", ""]], [{"x": 1}]],
)  # fmt: skip
def test_nonsense_is_left_out(names: Any) -> None:
    assert read_inventory([tell(names)]) == []


def test_a_strangers_names_count_only_where_the_user_names_them() -> None:
    held = [Held("x", "data"), Held("print", "data"), Held("sent", "data"), Held("y", "alias", "print")]
    known = choose_known(held, History(["", "x = 1"]), lambda name: name == "sent")
    assert [one.name for one in known] == ["x", "sent"]


def test_a_strangers_values_make_no_instances() -> None:
    cells = History(["", "class A: pass"])
    held = [Held("A", "definition"), Held("a", "data")]
    assert make_wish(held, cells, is_trusted=True)["classes"] == ["A"]
    assert make_wish(held, cells, is_trusted=False)["classes"] == []


def test_what_is_given_up_is_lost() -> None:
    moved = Relocation(carried={"x": 3}, rewritten={"f"}, replayed={"g"})
    moved.give_up(["x", "f", "g"], "gone")
    assert moved.lost == {"x": "gone", "f": "gone", "g": "gone"}
    assert not {*moved.carried, *moved.rewritten, *moved.replayed}
