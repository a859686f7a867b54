"""What goes along with a cell: once, in order, and only what this side has bound last."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from choline_jupyter.capture.history import History
from choline_jupyter.capture.proxy import Proxy
from choline_jupyter.capture.sent import SentNames


class Notebook:
    """Cells that run here (`here`) or there (`there`), with numbers as a notebook has them."""

    def __init__(self) -> None:
        self.inputs = [""]
        self.namespace: dict[str, Any] = {"__name__": "__main__", "hidden": 1}
        self.sent = SentNames(History(self.inputs), {"hidden": 1})

    def here(self, code: str) -> None:
        self.inputs.append(code)
        exec(code, self.namespace)

    def there(self, code: str) -> list[str]:
        """The names that go along, in their order."""
        self.inputs.append("get_ipython().run_cell_magic('choline', '', '')")
        self.found = self.sent.plan(code, len(self.inputs) - 1, self.namespace)
        return [item.name for item in self.found.items]


def test_what_is_read_goes_once() -> None:
    notebook = Notebook()
    notebook.here("x = 1\ny = 2")
    assert notebook.there("x") == ["x"]
    assert notebook.there("x") == []
    assert notebook.there("x + y") == ["y"]


def test_the_last_writer_wins() -> None:
    notebook = Notebook()
    notebook.here("x = 1")
    assert notebook.there("x += 1") == ["x"]
    assert notebook.there("x") == []
    notebook.here("x = 1")
    assert notebook.there("x") == ["x"]
    assert notebook.there("x = 5") == []
    assert notebook.there("x") == []


def test_the_same_value_that_nobody_touched_does_not_go_again() -> None:
    notebook = Notebook()
    notebook.here("big = list(range(10))")
    notebook.there("big")
    notebook.here("other = 1")
    assert notebook.there("big") == []


def test_changes_in_place_go_again() -> None:
    notebook = Notebook()
    notebook.namespace["np"] = np
    notebook.here("a = np.zeros(3)")
    assert notebook.there("a") == ["a"]
    notebook.here("a[1] = 1")
    assert notebook.there("a") == ["a"]


def test_what_a_function_needs_goes_before_it() -> None:
    notebook = Notebook()
    notebook.here("k = 2")
    notebook.here("class Base: pass")
    notebook.here("def f(x): return g(x) * k")
    notebook.here("def g(x): return isinstance(x, Base)")
    assert notebook.there("f(1)") == ["Base", "g", "k", "f"]


def test_functions_that_call_each_other_end() -> None:
    notebook = Notebook()
    notebook.here("def a(): return b()")
    notebook.here("def b(): return a()")
    assert sorted(notebook.there("a()")) == ["a", "b"]


def test_what_belongs_to_the_shell_stays() -> None:
    notebook = Notebook()
    notebook.here("_private = 1")
    assert notebook.there("_private, hidden, unknown, len") == []


def test_what_cannot_go_is_said_once() -> None:
    notebook = Notebook()
    notebook.here("import threading")
    notebook.namespace.update(lock=threading.Lock(), made=threading.Thread())
    assert notebook.there("lock, threading") == ["threading"]
    assert list(notebook.found.kept) == ["lock"]
    notebook.there("lock, made")
    assert list(notebook.found.kept) == ["made"]


def test_a_function_from_a_definition_that_was_replaced_by_a_value() -> None:
    notebook = Notebook()
    notebook.here("def f(): return 1")
    notebook.here("f = 3")
    assert notebook.there("f") == ["f"]
    assert notebook.found.items[0].act == {"do": "value"}
    assert notebook.found.items[0].buffers == (b"3",)


def test_modules_and_what_they_hold_are_imported_again() -> None:
    notebook = Notebook()
    notebook.here("import os.path as p\nfrom collections import OrderedDict as O\nfrom math import sqrt")
    notebook.there("p, O, sqrt")
    acts = {item.name: item.act for item in notebook.found.items}
    assert acts["p"] == {"do": "import", "module": "posixpath"}
    assert acts["O"] == {"do": "from", "module": "collections", "path": "OrderedDict"}
    assert acts["sqrt"] == {"do": "from", "module": "math", "path": "sqrt"}


def test_instances_go_behind_their_class() -> None:
    notebook = Notebook()
    notebook.here("k = 2\nclass Base: pass")
    notebook.here("import dataclasses\n@dataclasses.dataclass\nclass Row(Base):\n    x: int = k\n")
    notebook.here("rows = {'all': [Row(), Row(3)]}")
    assert notebook.there("rows") == ["Base", "dataclasses", "k", "Row", "rows"]


def test_named_tuples_go_behind_their_class() -> None:
    notebook = Notebook()
    notebook.here("from collections import namedtuple")
    notebook.here("Point = namedtuple('Point', 'x y')\np = Point(1, 2)")
    assert notebook.there("p") == ["namedtuple", "Point", "p"]


def test_an_instance_of_a_class_that_was_defined_again_is_made_anew() -> None:
    notebook = Notebook()
    notebook.here("class A: pass\na = A()")
    notebook.here("class A: pass")
    assert notebook.there("a") == ["a"]
    assert notebook.found.items[0].act == {"do": "replay", "names": ["a"], "cells": [[1, "class A: pass\na = A()"]]}


def test_what_was_fetched_is_the_same_on_both_sides() -> None:
    notebook = Notebook()
    notebook.there("x = [1]")
    notebook.inputs.append("get_ipython().run_line_magic('choline', 'get x')")
    notebook.namespace["x"] = [1]
    notebook.sent.note_fetched("x", len(notebook.inputs) - 1, notebook.namespace)
    assert notebook.there("x") == []
    notebook.here("x.append(2)")
    assert notebook.there("x") == ["x"]
    assert notebook.there("x = 3") == []
    assert notebook.there("x") == []


def test_what_is_older_here_is_told_once_for_each_write_there() -> None:
    notebook = Notebook()
    notebook.here("x = y = 1\nimport math as m")
    notebook.there("x += 1\nimport math as m")
    find = notebook.sent.find_stale
    assert find("y, m.pi", notebook.namespace) == []
    assert find("x = 2\nx", notebook.namespace) == []
    assert find("print(x, m)", notebook.namespace) == ["x"]
    assert find("x", notebook.namespace) == []
    notebook.there("x += 1")
    assert find("lambda: x", notebook.namespace) == ["x"]
    notebook.here("x = 5")
    assert find("x", notebook.namespace) == []


def test_a_stand_in_is_not_sent() -> None:
    notebook = Notebook()
    notebook.namespace["model"] = Proxy("model", "Linear()", "torch.nn.Linear", "it is there")
    notebook.here("1")
    assert notebook.there("model") == []
    assert "only what shows" in notebook.found.kept["model"]
