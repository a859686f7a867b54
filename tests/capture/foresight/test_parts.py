"""The parts of foresight by themselves: parsing, looking up modules, patterns, config files, command lines."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.capture.foresight import Source, foresee, yaml_subset
from choline_jupyter.capture.foresight.budget import Budget, Exhausted
from choline_jupyter.capture.foresight.disk import Disk, matches, to_pattern
from choline_jupyter.capture.foresight.live import convert
from choline_jupyter.capture.foresight.locate import Finder, is_installed
from choline_jupyter.capture.foresight.operators import format_percent, format_value
from choline_jupyter.capture.foresight.parse import parse_cell, read_text
from choline_jupyter.capture.foresight.value import ANY, LIMIT, Items, PathText, Table, concatenate, share, unite


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# ---- parsing


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("!ls x", "get_ipython().system('ls x')"),
        ("%cd sub", "get_ipython().run_line_magic('cd', 'sub')"),
        ("%%bash\nls", "get_ipython().run_cell_magic('bash', '', 'ls\\n')"),
        ("%%time\nx = 1", "x = 1"),
        ("y = ('%s'\n  % z)\n!ls", "get_ipython().system('ls')"),
    ],
)
def test_magics_become_calls(code: str, call: str) -> None:
    assert call in ast.unparse(parse_cell(code))


def test_many_magics_are_read_line_by_line() -> None:
    tree = parse_cell("\n".join(["!ls 'a", "x = 1", "if x:", "  %cd sub"] * 200))
    assert "get_ipython().run_line_magic('cd', 'sub')" in ast.unparse(tree)


def test_a_text_that_is_no_python_is_empty() -> None:
    assert parse_cell("this is ( no python").body == []


def test_each_text_is_parsed_once() -> None:
    assert parse_cell("x = 'once'") is parse_cell("x = 'once'")


def test_reading_is_limited(tmp_path: Path) -> None:
    write(tmp_path / "a", "12345")
    assert (read_text(str(tmp_path / "a")), read_text(str(tmp_path / "a"), 4), read_text(str(tmp_path))) == (
        "12345",
        "",
        "",
    )


# ---- modules


@pytest.fixture
def finder(tmp_path: Path) -> Finder:
    site = tmp_path / "lib" / "site-packages"
    for name in (
        "here/mine.py",
        "here/pkg/__init__.py",
        "here/pkg/sub.py",
        "here/plain/inner.py",
        "here/numpy_like/x.py",
    ):
        write(tmp_path / name)
    for name in ("numpy_like/__init__.py", "json2.py"):
        write(site / name)
    return Finder(Disk(Budget(10_000)), [str(tmp_path / "here"), str(site)])


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("mine", ["here/mine.py"]),
        ("pkg.sub", ["here/pkg/__init__.py", "here/pkg/sub.py"]),
        ("pkg.none", ["here/pkg/__init__.py"]),
        ("plain.inner", ["", "here/plain/inner.py"]),
        ("numpy_like", []),
        ("json2", []),
        ("json", []),
        ("sys", []),
        ("none", []),
    ],
)
def test_modules_are_found_as_python_finds_them(finder: Finder, tmp_path: Path, name: str, files: list[str]) -> None:
    assert finder.find(name) == [file and str(tmp_path / file) for file in files]


@pytest.mark.parametrize("kind", ["pth", "finder", "direct_url"])
def test_editable_installs_are_local(tmp_path: Path, kind: str) -> None:
    site, source = tmp_path / "site-packages", tmp_path / "project"
    write(source / "src" / "edited" / "__init__.py")
    write(source / "src" / "edited" / "part.py")
    site.mkdir()
    if kind == "pth":
        write(site / "_edited.pth", f"{source / 'src'}\n")
    elif kind == "finder":
        mapping = {"edited": str(source / "src" / "edited")}
        write(site / "__editable___edited_1_finder.py", f"MAPPING: dict[str, str] = {mapping!r}\n1 / 0\n")
    else:
        record = {"url": source.as_uri(), "dir_info": {"editable": True}}
        write(site / "edited-1.dist-info" / "direct_url.json", json.dumps(record))
    needs = foresee([Source("from edited.part import x", "cell 1")], tmp_path, {}, [str(site)])
    assert [need.path.name for need in needs] == ["__init__.py", "part.py"]


def test_what_is_installed_is_not_local() -> None:
    assert is_installed("/venv/lib/python3.12/site-packages")
    assert is_installed(str(Path(json.__file__).parent.parent))
    assert is_installed("/usr/lib/python312.zip")
    assert not is_installed("/home/user/project/src")
    assert not is_installed("/home/user/project/data.zip")


# ---- patterns


def test_patterns_match_within_one_name(tmp_path: Path) -> None:
    for name in ("a/1.csv", "a/2.csv", "a/x.txt", "b/1.csv", "a/.hidden.csv"):
        write(tmp_path / name)
    disk = Disk(Budget(10_000))
    found = disk.expand(f"{tmp_path}/{ANY}/{ANY}.csv")
    assert [str(Path(path).relative_to(tmp_path)) for path in found] == ["a/1.csv", "a/2.csv", "b/1.csv"]


def test_a_glob_becomes_a_pattern() -> None:
    assert to_pattern("a/*.c?v") == f"a/{ANY}.c{ANY}v"


def test_a_pattern_of_many_pieces_is_answered_at_once() -> None:
    assert not matches(ANY.join("a" * 40), "a" * 200 + "b")


def test_a_budget_ends() -> None:
    with pytest.raises(Exhausted):
        Budget(10).spend(11)


# ---- values


@given(st.lists(st.text(alphabet="ab/.", max_size=6), min_size=1))
def test_the_pattern_of_texts_matches_each(texts: list[str]) -> None:
    assert all(matches(share(texts), text) for text in texts)


def test_alternatives_are_limited_and_then_shared() -> None:
    many = unite(tuple(f"data/{n}.csv" for n in range(LIMIT + 1)))
    assert many == (f"data/{ANY}.csv",)
    assert len(concatenate([["a", "b"]] * 10)) <= LIMIT


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (format_value((7,), "03d"), "007"),
        (format_value((7,), "999999999d"), ANY),
        (format_percent("%s-%02d", Items([("a",), (3,)])), "a-03"),
        (format_percent("%(x)s.csv", Table({"x": ("b",)})), "b.csv"),
        (format_percent("%999999999d", 1), None),
    ],
)
def test_formats(made: list[str], text: str | None) -> None:
    assert made == [text] if text else len(made[0]) < 100


def test_plain_data_is_converted() -> None:
    (table,) = convert({"a": [1, Path("x")], "b": object()}) or ()
    assert table.entries["a"][0].elements == [(1,), (PathText("x"),)]
    assert convert(object()) is None


# ---- config files


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: 1\nb: x # no\nc: 'y # yes'", {"a": 1, "b": "x", "c": "y # yes"}),
        (
            "a:\n  b:\n    - 1\n    - two\nc: [1, 'x, y', {k: v}]",
            {"a": {"b": [1, "two"]}, "c": [1, "x, y", {"k": "v"}]},
        ),
        ("- a: 1\n  b: 2\n- a: 3", [{"a": 1, "b": 2}, {"a": 3}]),
        ("a:\n- x\n- y\nb: 2", {"a": ["x", "y"], "b": 2}),
        ("u: http://x.org/y\nw: C:/a\nn: null\nt: true\nf: 1e-3", None),
        ("", None),
    ],
)
def test_config_files_are_parsed(text: str, data: Any) -> None:
    expected = {"u": "http://x.org/y", "w": "C:/a", "n": None, "t": True, "f": 0.001} if "http" in text else data
    assert yaml_subset.parse(text) == expected


@given(st.text(alphabet="ab:-#'\"[]{},| \n&*", max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        yaml_subset.parse(text)
    except ValueError:
        pass


# ---- command lines


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("!cat a.txt b.txt", {"a.txt", "b.txt"}),
        ("!sort < a.txt > b.txt", {"a.txt"}),
        ("!cd d && cat c.txt; cat a.txt", {"d/c.txt"}),
        ("!X=1 nohup tool --in=a.txt -o b.txt 2>&1 | tee log.txt", {"a.txt"}),
        ("!python run.py", {"run.py", "a.txt"}),
        ("!python -m run", {"run.py", "a.txt"}),
        ("!torchrun --nproc_per_node 2 run.py --x", {"run.py", "a.txt"}),
        ("!python -c \"open('a.txt')\"", {"a.txt"}),
        ("!pip install -r requirements.txt", {"requirements.txt"}),
        ("!echo a.txt; ls d; rm b.txt", set()),
        ("n = 'a'\n!cat {n}.txt $n", {"a.txt"}),
        ("!cat d/*.txt", {"d/c.txt"}),
        ("fs = !ls d/*.txt\nopen(fs[0])", {"d/c.txt"}),
        ("!bash do.sh", {"do.sh", "a.txt"}),
        ("%%bash\ncat a.txt \\\n  b.txt\n# cat requirements.txt", {"a.txt", "b.txt"}),
        ("%%writefile b.txt\nx", set()),
        ("%run run", {"run.py", "a.txt"}),
        ("import subprocess as s\ns.run(['tool', 'a.txt', '>'])", {"a.txt"}),
        ("import os\nos.system('cat a.txt')", {"a.txt"}),
    ],
)
def test_command_lines(tmp_path: Path, line: str, needed: set[str]) -> None:
    for name in ("a.txt", "b.txt", "log.txt", "d/c.txt", "requirements.txt"):
        write(tmp_path / name)
    write(tmp_path / "run.py", "open('a.txt')")
    write(tmp_path / "do.sh", "cat a.txt\n")
    found = foresee([Source(line, "cell 1")], tmp_path, {}, [])
    assert {str(need.path.relative_to(tmp_path)) for need in found} == needed
