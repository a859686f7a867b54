"""What `foresee` promises, beyond how well it finds: its reasons, its order, its limits, its manners with odd input."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.capture.foresight import Need, Source, foresee
from choline_jupyter.capture.foresight.analysis import analyse


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("0\n")


def ask(root: Path, code: str, namespace: dict[str, Any] | None = None, **more: Any) -> list[Need]:
    return foresee([Source(code, "cell 1")], root, namespace or {}, [""], **more)


def find_faults(code: str, namespace: dict[str, Any]) -> list[Exception]:
    """What `foresee` would have passed over in silence."""
    return analyse([Source(code, "cell 1")], "/nonexistent", namespace, ["/nonexistent"], 200_000)[1]


def names(root: Path, needs: list[Need]) -> list[str]:
    return [str(need.path.relative_to(root)) for need in needs]


def test_a_need_says_why_and_what_it_is(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "pictures/1.png")
    (tmp_path / "mine.py").write_text("x = 1\n")
    needs = ask(tmp_path, "import mine\nopen('a.csv')\nimport os\nos.listdir('pictures')")
    assert needs == [
        Need(tmp_path / "a.csv", "data", "open(...) in cell 1"),
        Need(tmp_path / "mine.py", "module", "import mine in cell 1"),
        Need(tmp_path / "pictures", "folder", "listdir(...) in cell 1"),
    ]


def test_the_line_of_a_script_is_named(tmp_path: Path) -> None:
    make(tmp_path, "a.csv")
    (tmp_path / "mine.py").write_text("\n\nopen('a.csv')\n")
    (need, _) = foresee([Source("\nimport mine\n", "train.py")], tmp_path, {}, [])
    assert need.why == "open(...) in mine.py:3"


def test_a_script_is_named_as_seen_from_where_it_runs(tmp_path: Path) -> None:
    make(tmp_path, "a.csv")
    (need,) = foresee([Source("open('a.csv')", str(tmp_path / "jobs" / "train.py"))], tmp_path, {}, [])
    assert need.why == "open(...) in jobs/train.py:1"


def test_files_in_a_needed_folder_are_not_listed_again_but_modules_are(tmp_path: Path) -> None:
    make(tmp_path, "lib/a.csv")
    (tmp_path / "lib" / "code.py").write_text("")
    code = "import sys, os\nsys.path.append('lib')\nimport code_of_mine\nos.listdir('lib')\nopen('lib/a.csv')"
    (tmp_path / "lib" / "code_of_mine.py").write_text("")
    assert names(tmp_path, ask(tmp_path, code)) == ["lib", "lib/code_of_mine.py"]


def test_nothing_of_the_code_runs(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("open('made', 'w').write('x')\n1 / 0\n")
    ask(tmp_path, "import mine\n!touch made2\nimport os\nos.mkdir('made3')\nexec(\"open('made4', 'w')\")")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.py"]


def test_gitignore_prunes_nothing(tmp_path: Path) -> None:
    make(tmp_path, "data/train.bin")
    (tmp_path / ".gitignore").write_text("data/\n*.bin\n")
    assert names(tmp_path, ask(tmp_path, "open('data/train.bin')")) == ["data/train.bin"]


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        ("open('x.txt', 'w'); open('x.txt')", []),
        ("open('x.txt'); open('x.txt', 'w')", ["x.txt"]),
        ("import os\nif not os.path.exists('x.txt'):\n  open('x.txt', 'w')\nopen('x.txt')", ["x.txt"]),
        ("from pathlib import Path\nPath('x.txt').write_text('')\nPath('x.txt').read_text()", []),
        ("print('x.txt')", ["x.txt"]),
        ("df.to_csv('x.txt')", []),
        ("name = 'x.txt'\ndf.to_csv(name)", []),
        ("open('https://example.org/x.txt')", []),
    ],
)
def test_what_is_written_first_is_not_needed(tmp_path: Path, code: str, needed: list[str]) -> None:
    make(tmp_path, "x.txt")
    assert names(tmp_path, ask(tmp_path, code)) == needed


def test_earlier_cells_give_names_but_not_their_reads(tmp_path: Path) -> None:
    make(tmp_path, "sub/a.csv", "sub/b.csv")
    earlier = Source("%cd sub\nn = 'a.csv'\nopen('b.csv')\ndef f(x): return open(x)", "cell 1", is_target=False)
    needs = foresee([earlier, Source("f(n)", "cell 2")], tmp_path, {}, [])
    assert names(tmp_path, needs) == ["sub/a.csv"]


def test_what_earlier_cells_have_made_is_read_when_it_is_used(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "b.csv", "c.csv")
    earlier = """
class Rows:
    def __init__(self, name): self.name = name
    def __getitem__(self, i): return open(self.name)
one, other, third = Rows("a.csv"), Rows("b.csv"), Rows("c.csv")
loader = DataLoader(one)
one[0], DataLoader(third)
"""
    cells = [
        Source(earlier, "cell 1", is_target=False),
        Source("for x in loader: pass\nfor y in other: pass", "cell 2"),
    ]
    assert names(tmp_path, foresee(cells, tmp_path, {}, [])) == ["a.csv", "b.csv"]


def test_each_object_of_a_class_reads_its_own(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "b.csv")
    code = (
        "class Rows:\n  def __init__(self, n): self.n = n\n  def __getitem__(self, i): return open(self.n + '.csv')\n"
    )
    assert names(tmp_path, ask(tmp_path, code + "DataLoader(Rows('a')); DataLoader(Rows('b'))")) == [
        "a.csv",
        "b.csv",
    ]


def test_a_folder_that_earlier_cells_have_changed_into_is_not_entered_twice(tmp_path: Path) -> None:
    make(tmp_path, "sub/a.csv", "a.csv")
    earlier = Source("%cd ..", "cell 1", is_target=False)
    needs = foresee([earlier, Source("open('a.csv')", "cell 2")], tmp_path / "sub", {}, [])
    assert names(tmp_path, needs) == ["sub/a.csv"]


def test_what_the_notebook_holds_now_counts_more_than_what_its_cells_say(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "b.csv")
    earlier = Source("n = 'a.csv'", "cell 1", is_target=False)
    needs = foresee([earlier, Source("open(n)", "cell 2")], tmp_path, {"n": "b.csv"}, [])
    assert names(tmp_path, needs) == ["b.csv"]


@pytest.mark.parametrize(
    "held",
    ["a.csv", Path("a.csv"), ["a.csv"], {"k": "a.csv"}, argparse.Namespace(k="a.csv")],
    ids=lambda held: type(held).__name__,
)
def test_plain_data_of_the_notebook_is_read(tmp_path: Path, held: Any) -> None:
    make(tmp_path, "a.csv", "b.csv")
    reads = {list: "open(n[0])", dict: "open(n['k'])", argparse.Namespace: "open(n.k)"}
    assert names(tmp_path, ask(tmp_path, reads.get(type(held), "open(n)"), {"n": held})) == ["a.csv"]


class Trap(str):
    """Any use of it is an error."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)


class TrapTable(dict[str, str]):
    """Its content must not be looked at."""

    def items(self) -> Any:
        raise AssertionError

    def __iter__(self) -> Any:
        raise AssertionError


def test_methods_of_the_users_objects_are_never_called(tmp_path: Path) -> None:
    held = {"a": Trap("a.csv"), "b": TrapTable(k="a.csv"), "c": [Trap("a.csv")] * 30, "d": object()}
    code = "open(a)\nopen(b['k'])\nfor x in c: open(x)\nopen(d.e)\nopen(d['e'])"
    assert ask(tmp_path, code, held) == []


def test_a_function_of_a_local_module_that_the_notebook_holds_is_walked(tmp_path: Path) -> None:
    make(tmp_path, "a.csv")
    (tmp_path / "my_readers.py").write_text("def read(n):\n    return open(n + '.csv')\n")
    made: dict[str, Any] = {"__name__": "my_readers"}
    exec("def read(n): pass", made)
    assert names(tmp_path, ask(tmp_path, "read('a')", {"read": made["read"]})) == ["a.csv", "my_readers.py"]


def test_a_changed_module_is_read_again(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "longer.csv")
    module = tmp_path / "mine.py"
    module.write_text("open('a.csv')\n")
    assert names(tmp_path, ask(tmp_path, "import mine")) == ["a.csv", "mine.py"]
    module.write_text("open('longer.csv')\n")
    assert names(tmp_path, ask(tmp_path, "import mine")) == ["longer.csv", "mine.py"]


def test_the_words_behind_a_script_count(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "b.csv")
    code = (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--f', default='a.csv')\nopen(p.parse_args().f)"
    )
    for words, needed in (((), "a.csv"), (("--f", "b.csv"), "b.csv"), (("--f=b.csv",), "b.csv"), (None, "a.csv")):
        needs = foresee([Source(code, "t.py", arguments=words)], tmp_path, {}, [])
        assert names(tmp_path, needs) == [needed]


@pytest.mark.parametrize(
    "code",
    [
        "open('pipe')",
        "exec(open('pipe.py').read())",
        "import pipe",
        "!python pipe.py\n!bash pipe",
        "import yaml\nyaml.safe_load(open('pipe.yaml'))",
        "open('/dev/zero')\nopen('/proc/self/mem')",
        "open('loop')\nimport loop",
        "import glob\nglob.glob('here/**/*.py', recursive=True)\nglob.glob('here/*/*/*/*/*/*/*/*')",
        "open('secret')\nimport os\nos.listdir('closed')",
        "open('a\\0b')\nopen('\\ud800')\nopen('x' * 100000)\nopen('here/' * 2000)",
        "import bad\nimport json\njson.load(open('deep.json'))",
        "open('/')\nopen('~')\nopen('..')\nimport os\nos.listdir('.')\nos.listdir('..')\nos.walk('/')",
    ],
)
def test_odd_files_neither_hang_nor_raise(tmp_path: Path, code: str) -> None:
    for name in ("pipe", "pipe.py", "pipe.yaml"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "loop").symlink_to("loop2")
    (tmp_path / "loop2").symlink_to("loop")
    (tmp_path / "here").symlink_to(".")
    (tmp_path / "bad.py").write_bytes(b"\xff\xfe\x00 import x")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "closed").mkdir(mode=0)
    needs, faults = analyse([Source(code, "cell 1")], str(tmp_path), {}, [str(tmp_path)], 200_000)
    assert faults == []
    assert all(need.path.is_file() or need.path.is_dir() for need in needs)
    assert not {tmp_path, tmp_path.parent, Path("/"), Path.home()} & {need.path for need in needs}


@pytest.mark.parametrize(
    "code",
    [
        "x = " + " + ".join(["'a'"] * 3000),
        "x = " + "(" * 300 + ")" * 300,
        "f" + "()" * 2000,
        "def f(x):\n  return f(x + 'a') + f(x)\nopen(f('a'))",
        "a = {}\na['a'] = a\ng(a)\nb = []\nb.append(b)\ng(b)",
        "x = 10 ** 10 ** 10\ny = 'a' * 10 ** 9\nz = f'{1:>999999999}'\nw = '%999999999d' % 1",
        "import os\nopen(os.path.relpath(''))\nopen(os.path.join())\nos.path.commonpath(['/a', 'b'])",
        "exec('exec(code)')\ncode = 'exec(code)'\nexec(code)",
        "class A:\n  @property\n  def x(self): return self.x\n  def __getattr__(self, n): return getattr(self, n)\nA().x\nA().y",
        "\n".join(f"a{n} = [a{n - 1}, a{n - 1}, a{n - 1}]" for n in range(1, 60)) + "\nopen(a59)",
    ],
)
def test_odd_code_neither_hangs_nor_raises(tmp_path: Path, code: str) -> None:
    assert ask(tmp_path, code) == []
    assert find_faults(code, {}) == []


def test_a_spent_budget_keeps_what_was_found(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "b.csv")
    loops = "\n".join("  " * n + f"for i{n} in range(20):" for n in range(6))
    code = f"open('a.csv')\n{loops}\n{'  ' * 6}x = 1\nopen('b.csv')"
    assert names(tmp_path, ask(tmp_path, code, steps=5000)) == ["a.csv"]


def test_one_piece_of_code_leaves_steps_for_the_next(tmp_path: Path) -> None:
    make(tmp_path, "a.csv")
    loops = "\n".join("  " * n + f"for i{n} in range(20):" for n in range(6)) + "\n" + "  " * 6 + "x = 1"
    earlier = [Source(loops, f"cell {n}", is_target=n > 4) for n in range(9)]
    assert names(tmp_path, foresee([*earlier, Source("open('a.csv')", "cell 9")], tmp_path, {}, [], 20_000)) == [
        "a.csv"
    ]


def test_a_script_that_runs_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "again.py").write_text(
        "import subprocess, sys\nsubprocess.run([sys.executable, 'again.py', sys.argv[1] + 'a'])"
    )
    (tmp_path / "again.sh").write_text("bash again.sh\nbash again.sh\n")
    assert names(tmp_path, ask(tmp_path, "!python again.py x\n!bash again.sh")) == ["again.py", "again.sh"]


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_is_answered(code: str) -> None:
    assert find_faults(code, {}) == []


WORDS = """
open ( ) 'a.csv' , x = for in : if not import os . path join [ ] { } f'{x}' + / % ! %cd %run def f return lambda class A self
with as try except while True 1 0 ** * == and or %%bash yield await match case @ -> _
"""
PIECES = st.sampled_from([*WORDS.split(), "\n", "\n ", "\t"])


@given(st.lists(PIECES, max_size=40).map(" ".join), st.dictionaries(st.sampled_from("xfA"), st.text() | st.integers()))
@settings(max_examples=200, deadline=None)
def test_anything_like_code_is_answered(code: str, namespace: dict[str, Any]) -> None:
    assert find_faults(code, namespace) == []
