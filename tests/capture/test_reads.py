"""Which names a cell reads and binds, by its text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.capture.reads import Names, find_names


@pytest.mark.parametrize(
    ("code", "reads", "writes"),
    [
        ("x = 1\nprint(x, y)", "print y", "x"),
        ("for i in range(n): print(i)", "n print range", "i"),
        ("for q in q: pass", "q", "q"),
        ("if a: b = 1\nprint(b)", "a b print", "b"),
        ("if a: b = 1\nelse: b = 2", "a", "b"),
        ("with open(f) as h: r = h.read()\nr", "f open", "h r"),
        ("try: a()\nexcept E as e: e", "E a", "e"),
        ("while True:\n  break\nelse:\n  z", "z", ""),
        ("match cmd:\n  case [a, *b]: (a, b, c)", "c cmd", "a b"),
        ("x += 1", "x", "x"),
        ("x: int = y", "int y", "x"),
        ("x: int", "int", "x"),
        ("print(w := 5)\nw", "print", "w"),
        ("import os.path as p, json\np.join(t)", "t", "json p"),
        ("from m import *", "", "*"),
        ("def g(p, q=d): return p + z\ng(1)", "d z", "g"),
        ("def g(p: T = 1) -> R: return p", "R T", "g"),
        ("def g(): return h()\ndef h(): return 1", "", "g h"),
        ("def h():\n  global G\n  G = 1", "", "G h"),
        ("def o():\n  v = 1\n  def i(): return v + w\n  return i", "w", "o"),
        ("class A(B, metaclass=M):\n  w = v\n  def m(self): return u", "B M u v", "A"),
        ("@d\nclass A: pass", "d", "A"),
        ("[k * s for k in xs if k > lo]", "lo s xs", ""),
        ("{a: b for a, b in pairs}", "pairs", ""),
        ("lambda x, y=e: x + late", "e late", ""),
        ("async def f(): await w\nawait f()", "w", "f"),
        ("f'{a!r:>{width}}'", "a width", ""),
        ("a.b[c] = d", "a c d", ""),
        ("del gone", "", "gone"),
        ("1 +* 2", "", ""),
        ("", "", ""),
    ],
)
def test_names(code: str, reads: str, writes: str) -> None:
    assert find_names(code) == Names(frozenset(reads.split()), frozenset(writes.split()))


@given(code=st.text())
def test_any_text_has_an_answer(code: str) -> None:
    find_names(code)


@pytest.mark.parametrize("depth", [10, 90, 150, 1000, 5000])
def test_deep_code_has_an_answer(depth: int) -> None:
    find_names("(" * depth + "x" + ")" * depth)
    find_names("+".join(["x"] * depth))
