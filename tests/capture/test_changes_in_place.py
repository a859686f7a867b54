"""What has changed here in place since it went along goes along again: no value over there is a stale one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.capture.test_slices import Notebook

_SETUP = """
import threading, numpy as np, pandas as pd, torch, collections, types
class Point:
    def __init__(self): self.parts, self.inner = [1, [2]], {"k": (3, [4])}
class Holder:
    def __init__(self): self.lock, self.items = threading.Lock(), [1]
class Config:
    rate, names = 1, ["a"]
def count(): return count.calls
count.calls = 0
"""


_MODULE = "RATE, NAMES, TABLE = 1, ['a'], {'a': 1}\nclass Model:\n    depth = 1\n"


@pytest.fixture
def settings() -> Iterator[ModuleType]:
    """A module of the user's, which both sides of these tests have."""
    module = ModuleType("settings_of_this_test")
    exec(_MODULE, vars(module))
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


@pytest.fixture
def notebook() -> Notebook:
    made = Notebook()
    made.here(_SETUP)
    return made


@pytest.mark.parametrize(
    ("make", "change", "see"),
    [
        ("v = np.zeros(4)", "v[2] = 5", "v.tolist()"),
        ("v = np.zeros((4, 4))", "w = v[1:3]; w += 1", "v.sum()"),
        ("v = np.array([None, {1: [1]}])", "v[1][1].append(2)", "v.tolist()"),
        ("v = [1, [2, [3]]]", "v[1][1].append(4)", "v"),
        ("inner = [1]\nv = {'a': (inner,)}", "inner.append(2)", "v"),
        ("v = collections.deque([1])", "v.append(2)", "list(v)"),
        ("v = pd.DataFrame({'a': [1, 2]})", "v.loc[0, 'a'] = 7", "v.a.tolist()"),
        ("v = pd.DataFrame({'a': [1, 2]})", "v['b'] = v.a * 2", "list(v.columns)"),
        ("v = pd.DataFrame({'a': [[1], [2]]})", "v.a[0].append(9)", "v.a.tolist()"),
        ("v = pd.Series([1, 2])", "v.index = ['x', 'y']", "list(v.index)"),
        ("v = torch.zeros(3)", "v.add_(1)", "v.tolist()"),
        ("v = torch.zeros(3)", "w = v.view(3, 1); w[0] = 4", "v.tolist()"),
        ("v = torch.nn.Parameter(torch.zeros(2))", "v.requires_grad_(False)", "v.requires_grad"),
        ("v = torch.nn.Linear(2, 2).state_dict()", "v['bias'].zero_()", "v['bias'].tolist()"),
        ("v = bytearray(b'ab')", "v[0] = 65", "bytes(v)"),
        ("v = types.SimpleNamespace(a=[1])", "v.a.append(2)", "v.a"),
        ("v = Point()", "v.parts[1].append(5)", "v.parts"),
        ("v = Point()", "v.inner['k'][1].append(6)", "v.inner"),
        ("v = [Point(), Point()]", "v[0].new = 1", "vars(v[0])['new']"),
        ("v = Point()", "def f(): v.parts.clear()\nf()", "v.parts"),
        ("v = Config", "Config.rate = 3", "v.rate"),
        ("v = Config()", "Config.rate += 1", "v.rate"),
        ("v = Config", "Config.names.append('b')", "v.names"),
        ("v = Config", "setattr(Config, 'extra', [1])", "v.extra"),
        ("v = count", "v.calls += 1; count.calls += 1", "v()"),
    ],
)
def test_data(notebook: Notebook, make: str, change: str, see: str) -> None:
    notebook.here(make)
    notebook.there(f"seen = {see}" if "new" not in see and "extra" not in see else "v")
    notebook.here(change)
    notebook.there(f"seen = {see}")
    exec(f"expected = {see}", notebook.near)
    assert notebook.far["seen"] == notebook.near["expected"]
    notebook.there("v")
    assert notebook.found.items == []


@pytest.mark.parametrize(
    ("change", "see"),
    [
        ("s.RATE = 3", "s.RATE"),
        ("s.RATE *= 5", "s.RATE"),
        ("s.NAMES.append('b')", "s.NAMES"),
        ("s.TABLE['b'] = 2", "s.TABLE"),
        ("s.Model.depth = 4", "s.Model.depth"),
        ("setattr(s, 'NEW', (1, 2))", "s.NEW"),
        ("def double(x): return 2 * x\ns.f = double", "s.f(4)"),
        ("from settings_of_this_test import Model as M\nM.depth = 6", "s.Model.depth"),
        ("def change():\n    s.RATE = 8\nchange()", "s.RATE"),
    ],
)
def test_attributes_of_modules(
    notebook: Notebook, settings: ModuleType, change: str, see: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook.here("import settings_of_this_test as s", change)
    exec(f"expected = {see}", notebook.near)
    far = ModuleType(settings.__name__)
    exec(_MODULE, vars(far))
    monkeypatch.setitem(sys.modules, settings.__name__, far)
    notebook.there(f"import settings_of_this_test as s\nseen = {see}")
    assert notebook.far["seen"] == notebook.near["expected"]
    notebook.there("1")
    assert notebook.found.items == []


def test_settings_of_the_process_stay_here_but_for_its_arguments(notebook: Notebook) -> None:
    notebook.here("import sys, os, logging", "sys.argv = ['x', '--lr', '1']\nsys.path.append('/nowhere')")
    notebook.here("sys.ps1 = 'ps'\nlogging.raiseExceptions = True\npd.options.display.max_rows = 5")
    found = notebook.sent.plan("1", 9, notebook.near)
    assert [item.name for item in found.items if item.act["do"] == "set"] == ["sys.argv"]
    assert found.kept == {}


def test_an_attribute_that_looks_like_a_secret_stays(notebook: Notebook, settings: ModuleType) -> None:
    notebook.here("import settings_of_this_test as s", "s.api_key = 'very secret'")
    found = notebook.sent.plan("s", 3, notebook.near)
    assert found.kept == {"s.api_key": "what looks like a secret (--secret passes one)"}
    assert "very secret" not in str(found.items)
    del settings


@pytest.mark.parametrize(
    ("change", "see"),
    [
        ("v.items.append(2)", "v.items"),
        ("def f():\n    v.items = 'new'\nf()", "v.items"),
        ("v.lock, v.more = threading.RLock(), 1", "v.more"),
        ("next(g)", "list(g)"),
        ("for part in g: break", "list(g)"),
        ("taken = list(zip(g, 'a'))", "list(g)"),
    ],
)
def test_what_was_made_anew(notebook: Notebook, change: str, see: str) -> None:
    notebook.here("v = Holder()\ng = (n for n in range(9))")
    assert notebook.there("v, g") == [2]
    assert notebook.there("v, g") == []
    notebook.here("other = v.items")
    assert notebook.there("v, g") == []
    notebook.here(change)
    notebook.there(f"seen = {see}")
    exec(f"expected = {see}", notebook.near)
    assert notebook.far["seen"] == notebook.near["expected"]


def test_what_changed_behind_its_cells_is_said(notebook: Notebook) -> None:
    notebook.here("v = Holder()\nitems = v.items")
    notebook.there("v")
    notebook.here("items.append(2)")
    notebook.there("v")
    assert notebook.found.kept == {"v": "changed by other means than by cells that name it"}
    notebook.there("v")
    assert notebook.found.kept == {}
