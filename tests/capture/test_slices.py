"""What has no form as data is built over there by the cells that built it here, and by no more than those."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from IPython.core.compilerop import CachingCompiler

from choline_jupyter.agent.kernel.names import install_names
from choline_jupyter.capture.changes import asks_user, find_changes, find_effects
from choline_jupyter.capture.history import History
from choline_jupyter.capture.sent import SentNames


class Shell:
    """What of a kernel's shell takes part in making names."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {"__name__": "__main__"}
        self.compile = CachingCompiler()


class Notebook:
    """Cells that run here, and cells that run in `far`, where nothing is but what goes along."""

    def __init__(self) -> None:
        self.inputs = [""]
        self.near: dict[str, Any] = {"__name__": "__main__"}
        self.shell = Shell()
        self.far = self.shell.user_ns
        self.history = History(self.inputs)
        self.sent = SentNames(self.history, {})

    def here(self, *cells: str) -> None:
        for code in cells:
            self.inputs.append(code)
            try:
                exec(code, self.near)
            except ZeroDivisionError:
                self.history.note_failure(len(self.inputs) - 1)

    def there(self, code: str) -> list[int]:
        """Run a cell over there; the cells of this side that were run again for it."""
        self.inputs.append("get_ipython().run_cell_magic('choline', '', '')")
        self.found = self.sent.plan(code, len(self.inputs) - 1, self.near)
        acts = []
        for item in self.found.items:
            sizes = [memoryview(part).nbytes for part in item.buffers]
            data: Any = memoryview(b"".join(bytes(part) for part in item.buffers))
            acts.append(item.act)
            assert not list(install_names(self.shell, [{**item.act, "name": item.name, "sizes": sizes}], data))
        exec(code, self.far)
        return [number for act in acts if act["do"] == "replay" for number, _ in act["cells"]]


LOCK = "import threading\nlock = threading.Lock()"


def test_the_cell_that_made_it() -> None:
    notebook = Notebook()
    notebook.here("x = 1", LOCK, "y = 2")
    assert notebook.there("got = lock") == [2]
    assert notebook.far["got"] is notebook.far["lock"]
    assert "y" not in notebook.far
    assert notebook.there("lock") == []


def test_values_that_are_still_the_same_go_as_values() -> None:
    notebook = Notebook()
    notebook.here("n = [1, 2]", "def double(): return [2 * i for i in n]", "it = iter(double())")
    assert notebook.there("got = next(it)") == [3]
    assert notebook.far["got"] == 2


@pytest.mark.parametrize(
    "change", ["n.append(3)", "n[0] = 9", "n = [0]", "del n[0]", "import random\nrandom.shuffle(n)"]
)
def test_values_that_have_changed_since_are_made_again(change: str) -> None:
    notebook = Notebook()
    notebook.here("n = [1, 2]", "it = iter(list(n))", change)
    assert notebook.there("got = list(it)") == [1, 2]
    assert notebook.far["got"] == [1, 2]


def test_what_cannot_change_in_place_goes_as_it_is() -> None:
    notebook = Notebook()
    notebook.here("path, n = 'a/b', [0]", "it = iter(path.split('/'))", "print(path.upper(), open)")
    assert notebook.there("got = list(it)") == [2]
    assert notebook.far["got"] == ["a", "b"]


def test_changes_in_place_belong_to_it() -> None:
    notebook = Notebook()
    notebook.here("import itertools\nc = itertools.count()", "next(c)", "other = 3", "next(c)", "len([c])")
    assert notebook.there("got = next(c)") == [1, 2, 4]
    assert notebook.far["got"] == 2


def test_what_holds_one_another_is_made_in_one_run() -> None:
    notebook = Notebook()
    notebook.here("a = iter([1, 2, 3])", "b = zip(a, a)")
    assert notebook.there("got = next(b), next(a)") == [1, 2]
    assert notebook.far["got"] == ((1, 2), 3)
    assert notebook.there("rest = list(a), list(b)") == []
    assert notebook.far["rest"] == ([], [])


def test_what_was_made_before_is_not_made_again_for_another() -> None:
    notebook = Notebook()
    notebook.here("a = iter([1, 2, 3])", "b = [a]\nb = map(next, b)")
    assert notebook.there("got = next(a)") == [1]
    assert notebook.there("got = next(b)") == [2]
    assert notebook.far["got"] == 2


def test_bound_anew_here_it_is_made_anew() -> None:
    notebook = Notebook()
    notebook.here("a = iter([1])")
    notebook.there("next(a)")
    notebook.here("a = iter([5])")
    assert notebook.there("got = next(a)") == [3]
    assert notebook.far["got"] == 5


def test_other_names_of_these_cells_stay_what_they_are_there() -> None:
    notebook = Notebook()
    notebook.here("k = 1\na = iter([k])")
    notebook.there("k = 'theirs'")
    assert notebook.there("got = next(a), k") == [1]
    assert notebook.far["got"] == (1, "theirs")


def test_what_was_bound_there_is_not_made() -> None:
    notebook = Notebook()
    notebook.here(LOCK)
    notebook.there("lock = 'theirs'")
    assert notebook.there("got = lock") == []
    assert notebook.far["got"] == "theirs"


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["n = iter([])\n1 / 0"], "cell 1, which failed"),
        (["n = iter([1])", "next(n); 1 / 0"], "cell 2, which failed"),
        (["input = lambda: 1\nn = iter([input()])"], "cell 1, which asks"),
        (["exec('n = iter([])')"], "no cell that has run here"),
    ],
)
def test_what_cannot_be_made_is_said(cells: list[str], why: str) -> None:
    notebook = Notebook()
    notebook.here(*cells)
    notebook.found = notebook.sent.plan("n", len(notebook.inputs), notebook.near)
    assert "iterator" in notebook.found.kept["n"]
    assert why in notebook.found.kept["n"]


def test_seeds_and_the_like_go_once() -> None:
    notebook = Notebook()
    notebook.here("import random\nstart = 4", "random.seed(start)\nunused = 1", "first = random.random()")
    notebook.there("import random\ngot = random.random() == first")
    assert notebook.far["got"]
    assert "unused" not in notebook.far
    assert [item.act["do"] for item in notebook.found.items] == ["import", "value", "effect", "value"]
    notebook.there("got = random.random()")
    assert [item.act["do"] for item in notebook.found.items] == []
    notebook.here("random.seed(5)")
    notebook.there("got = 1")
    assert [item.act["do"] for item in notebook.found.items] == ["effect"]


def test_secrets_do_not_go_with_the_environment() -> None:
    notebook = Notebook()
    notebook.near["os"] = type("", (), {"environ": {}})
    notebook.inputs.append("os.environ['HF_TOKEN'] = 'hf_123'")
    found = notebook.sent.plan("1", 2, notebook.near)
    assert found.items == []
    assert found.kept == {"os.environ['HF_TOKEN']": "what looks like a secret (--secret passes one)"}


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("x.m(); y[0] = 1; z.a += 1; f(w, k=v)", "xyzwv"), ("print(x, len(y)); x + y; x[0]; x.a", ""),
        ("del x[0]\nfor y.a in z: pass", "xy"), ("x[0].m()(y)", "xy"), ("f(*x, **y)", "xy"), ("(x or y).m()", ""),
    ],
)  # fmt: skip
def test_changes(code: str, names: str) -> None:
    assert find_changes(ast.parse(code)) - {"f"} == set(names)


@pytest.mark.parametrize(
    "code",
    [
        "np.random.seed(0)", "torch.manual_seed(1)", "np.set_printoptions(precision=2)", "plt.style.use('x')",
        "plt.rcParams['a'] = 1", "mpl.rc('font', size=1)", "warnings.filterwarnings('ignore')", "os.environ['A'] = 'b'",
        "pd.options.display.max_rows = 5", "pd.set_option('a', 1)", "sys.path.insert(0, 'x')", "os.environ.update(a='1')",
        "torch.backends.cudnn.benchmark = True", "torch.set_default_dtype(torch.float64)", "del os.environ['A']",
    ],
)  # fmt: skip
def test_global_state_is_recognised(code: str) -> None:
    [found] = find_effects(ast.parse(f"before = 1\n{code}\nafter(before)"))
    assert ast.unparse(found) == code


@pytest.mark.parametrize("code", ["x = 1", "seed(1)", "df.append(1)", "model.train()", "os.path.join('a')", "a[0] = 1"])
def test_ordinary_statements_are_not(code: str) -> None:
    assert find_effects(ast.parse(code)) == []


def test_questions_are_recognised() -> None:
    assert asks_user(ast.parse("x = int(input('? '))"))
    assert asks_user(ast.parse("import getpass\ngetpass.getpass()"))
    assert not asks_user(ast.parse("inputs = 1"))
