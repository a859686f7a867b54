"""What a text imports, by its syntax: cells with magics, optional imports, and texts that are no Python at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.capture.imports import Imports, find_imports


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("import a, b.c as d", {"a", "b.c"}),
        ("from a import b\nfrom a.b import c", {"a.b"}),
        ("from a import *", {"a"}),
        ("from . import a\nfrom ..b import c", set()),
        ("def f():\n    import a\nclass B:\n    import c", {"a", "c"}),
        (
            "import importlib\nimportlib.import_module('a.b')\n__import__('c')\nimport_module('.d', 'e')",
            {"importlib", "a.b", "c"},
        ),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b"}),
        ("%matplotlib inline\nimport a\n!ls\nif True:\n    %time import b", {"a"}),
        ("%%time\nimport a", {"a"}),
        ("import a?", set()),
        ("x = 'import a'", set()),
    ],
)
def test_imports(text: str, modules: set[str]) -> None:
    assert find_imports(text).modules == modules


def test_an_import_that_may_fail_is_optional() -> None:
    found = find_imports(
        "try:\n    import a\nexcept ImportError:\n    import b\ntry:\n    import c\nexcept ValueError:\n    pass"
    )
    assert found.modules == {"b", "c"}
    assert found.optional == {"a"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%pip install a 'b[c]>=1'", ("a", "b[c]>=1")),
        ("!pip install -q -r x.txt a --index-url http://b c  # why", ("a", "c")),
        ("!python -m pip install a && echo b", ("a",)),
        ("!uv pip install \\\n  a==1 \\\n  b", ("a==1", "b")),
        ("%pip install {name} $other a", ("a",)),
        ("%pip uninstall a", ()),
        ("get_ipython().run_line_magic('pip', 'install a')\nget_ipython().system('pip3 install b')", ("a", "b")),
        ("print('pip install a')", ()),
        ("!pip install 'a", ()),
    ],
)
def test_lines_of_pip(text: str, words: tuple[str, ...]) -> None:
    assert find_imports(text).pip == words


@given(st.text())
def test_any_text_gives_an_answer(text: str) -> None:
    assert isinstance(find_imports(text), Imports)


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, unique=True))
def test_every_import_is_found(names: list[str]) -> None:
    import keyword

    names = [name for name in names if not keyword.iskeyword(name)]
    assert find_imports("".join(f"import {name}\n" for name in names)).modules == set(names)
