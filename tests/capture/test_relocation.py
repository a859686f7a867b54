"""What becomes of a session's names on another machine, from its cells as text and what its machine says of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.capture.history import History
from choline_jupyter.capture.relocation import Given, Held, Relocation, plan_relocation

KINDS = ["module", "definition", "import", "alias", "state", "data", "fixed", "iterator"]


def plan(
    cells: list[str], held: dict[str, str], *, home: str = "", states: str = "", failed: int = 0, refused: str = ""
) -> Relocation:
    """`held` gives each name's kind; data that is not `refused` has a value."""
    history = History(["", *cells])
    history.count()
    if failed:
        history.note_failure(failed)
    names = [Held(name, *kind.split(":")) for name, kind in held.items()]
    values = {one.name: [b"1"] for one in names if one.kind in ("data", "fixed") and one.name not in refused.split()}
    given = Given(values, {name: [b"2"] for name in states.split()}, dict.fromkeys(refused.split(), "no data"))
    return plan_relocation(names, given, history, home.split().__contains__)


def list_acts(moved: Relocation) -> list[tuple[str, str]]:
    return [(item.act["do"], item.name) for item in moved.items]


def test_data_is_carried_whoever_made_it() -> None:
    moved = plan(["x = [1]", "x.append(2)"], {"x": "data", "sent": "data"}, home="sent")
    assert sorted(list_acts(moved)) == [("value", "sent"), ("value", "x")]
    assert not moved.needed


def test_text_is_run_in_the_order_in_which_it_is_needed() -> None:
    cells = [
        "import math as m",
        "def f(x=m.pi): return g(x)",
        "def g(x): return x",
        "class A(B): pass",
        "class B: pass",
    ]
    moved = plan(cells, {"A": "definition", "B": "definition", "f": "definition", "g": "definition", "m": "module"})
    acts = list_acts(moved)
    assert acts.index(("run", "B")) < acts.index(("run", "A"))
    assert acts.index(("run", "m")) < acts.index(("run", "f"))
    assert moved.items[acts.index(("run", "m"))].act["source"] == "import math as m"


@pytest.mark.parametrize(
    ("code", "source"),
    [
        ("from os import path as p, sep", "from os import path as p, sep"),
        ("if 1:\n    import os.path as p", "import os.path as p"),
    ],
)
def test_an_import_is_the_statement_alone(code: str, source: str) -> None:
    moved = plan([code + "\nbig = load()"], {"p": "module"})
    assert [item.act for item in moved.items] == [{"do": "run", "source": source}]


def test_what_is_no_data_is_built_again_with_all_that_changed_it() -> None:
    cells = ["import threading", "lock = threading.Lock()", "other = 1", "lock.acquire()"]
    moved = plan(cells, {"lock": "data", "threading": "module", "other": "fixed"}, refused="lock")
    assert moved.cells == [2, 4]
    assert moved.replayed == {"lock"}


def test_what_has_a_state_is_built_and_not_trained_again() -> None:
    cells = ["import torch", "net = torch.nn.Linear(2, 2)", "net.weight.mul_(2)", "boom = train(net)"]
    moved = plan(cells, {"torch": "module", "net": "state"}, states="net", failed=4)
    assert moved.cells == [2]
    assert list_acts(moved)[-1] == ("state", "net")


def test_what_the_notebook_made_it_brings_and_what_cells_changed_is_carried_behind_it() -> None:
    cells = ["seen.append(1); lock = make()"]
    moved = plan(cells, {"seen": "data", "lock": "data", "make": "definition"}, home="seen make", refused="lock")
    assert {"seen", "make"} <= moved.needed
    acts = list_acts(moved)
    assert acts.index(("replay", "lock")) < acts.index(("value", "seen"))


@pytest.mark.parametrize(
    ("cells", "failed", "why"),
    [(["lock = make()"], 1, "which failed"), (["lock = input()"], 0, "asks for input"), (["1"], 0, "made by no cell")],
)
def test_what_cannot_be_built_is_lost_and_said(cells: list[str], failed: int, why: str) -> None:
    moved = plan(cells, {"lock": "data"}, failed=failed, refused="lock")
    assert why in moved.lost["lock"]
    assert not moved.items


def test_another_word_for_what_is_lost_is_lost() -> None:
    moved = plan(["1"], {"lock": "data", "same": "alias:lock"}, refused="lock")
    assert moved.lost["same"] == "the same as lock"


def test_cells_are_not_run_again_without_leave() -> None:
    history = History(["", "lock = make()"])
    given = Given({}, {}, {"lock": "a lock"})
    moved = plan_relocation([Held("lock", "data")], given, history, lambda name: name == "make", allows_replay=False)
    assert moved.lost == {"lock": "a lock, its cells were not to be run again"}
    assert moved.cells == []


@given(st.lists(st.tuples(st.sampled_from(["f", "x", "os", "evil", "__builtins__", "exit"]), st.sampled_from(KINDS))))
def test_only_the_users_own_text_ever_runs(told: list[tuple[str, str]]) -> None:
    """Whatever a machine says that its names are."""
    cells = ["def f(): return 1", "import os", "x = f()"]
    history = History(["", *cells])
    held = [Held(name, kind, "x") for name, kind in dict(told).items()]
    moved = plan_relocation(held, Given({}, {}, {}), history, lambda name: False)
    for item in moved.items:
        sources: list[Any] = [item.act.get("source", "")] + [text for _, text in item.act.get("cells", [])]
        assert all(source in ("", "import os", "def f(): return 1", *cells) for source in sources), json.dumps(item.act)
