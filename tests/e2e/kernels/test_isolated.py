"""A session that has none of this machine's files but those that go along: `%%choline --isolated`."""

from __future__ import annotations

import ast
import base64
import sys
from pathlib import Path

import pytest

from choline_jupyter.store.entry import SMALL
from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import HEAD
from tests.namespaces import needs_namespaces

pytestmark = [pytest.mark.e2e, needs_namespaces]

FIRST = "%%choline --isolated\n"
COUNT = 7


@pytest.fixture(scope="module")
def project(isolation: Isolation) -> Path:
    """What the notebook's folder holds."""
    folder = isolation.folder
    (folder / "data").mkdir()
    (folder / "data/table.csv").write_text("a,b\n1,2\n")
    (folder / "model.py").write_text("from layers import SIZE\n\ndef size():\n    return SIZE\n")
    (folder / "layers.py").write_text("SIZE = 3\n")
    (folder / "unrelated.txt").write_text("not needed")
    (folder / ".env").write_text("PASSWORD=1")
    return folder


@pytest.fixture(scope="module")
def there(kernel: DrivenKernel, project: Path) -> DrivenKernel:
    """The notebook, whose cells run in an isolated session from now on."""
    assert kernel.run(FIRST + "import os\nos.getcwd()").read_result() == repr(str(project))
    return kernel


def list_files(isolation: Isolation) -> list[str]:
    """What the session has of the project, on its machine."""
    [root] = Path(isolation.environment["CHOLINE_AGENT_HOME"]).glob("workspaces/*/root")
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.*") if path.suffix != ".pyc")


def test_nothing_is_there_but_the_folder_itself(there: DrivenKernel, project: Path, isolation: Isolation) -> None:
    assert list_files(isolation) == []
    home = set(ast.literal_eval(there.run(HEAD + "os.listdir(os.path.expanduser('~'))").read_result()))
    assert home < {path.name for path in Path.home().iterdir()} | {".ipython", ".local"}
    assert (project / "unrelated.txt").exists()


def test_modules_and_data_go_along_without_being_named(there: DrivenKernel, isolation: Isolation) -> None:
    run = there.run(HEAD + "import model\nmodel.size(), open('data/table.csv').read()")
    assert run.read_result() == r"(3, 'a,b\n1,2\n')"
    assert list_files(isolation) == ["data/table.csv", "layers.py", "model.py"]


def test_a_file_that_nobody_foresaw_comes_when_it_is_opened(there: DrivenKernel, isolation: Isolation) -> None:
    name = base64.b64encode(b"unrelated.txt").decode()
    run = there.run(HEAD + f"import base64\nopen(base64.b64decode('{name}').decode()).read()")
    assert run.read_result() == "'not needed'"
    assert "choline: fetched on demand: 1 file; next time it goes ahead." in run.read("stderr")
    fetched = Path(isolation.environment["CHOLINE_HOME"], "fetched")
    there.wait_for(lambda: any("unrelated.txt" in path.read_text() for path in fetched.glob("*.json")))


def test_an_edited_module_is_loaded_again(there: DrivenKernel, project: Path) -> None:
    (project / "layers.py").write_text("SIZE = 4\n")
    (project / "model.py").write_text("import layers\n\ndef size():\n    return layers.SIZE * 10\n")
    assert there.run(HEAD + "import model\nmodel.size()").read_result() == "40"


def test_what_a_cell_writes_is_here_when_it_has_ended(there: DrivenKernel, project: Path) -> None:
    there.run(HEAD + "os.makedirs('out', exist_ok=True)\nopen('out/loss.txt', 'w').write('0.5')")
    assert (project / "out/loss.txt").read_text() == "0.5"
    assert there.run("open('out/loss.txt').read()").read_result() == "'0.5'"
    there.run(HEAD + "os.remove('out/loss.txt')")
    assert not (project / "out/loss.txt").exists()


def test_a_large_file_follows(there: DrivenKernel, project: Path) -> None:
    run = there.run(HEAD + f"open('out/ckpt.pt', 'wb').write(b'x' * {SMALL * COUNT})")
    assert "coming home in the background: out/ckpt.pt" in run.read("stderr")
    path = project / "out/ckpt.pt"
    there.wait_for(lambda: path.exists() and path.stat().st_size == SMALL * COUNT)


def test_what_is_not_to_come_home_stays_until_it_is_pulled(there: DrivenKernel, project: Path) -> None:
    there.run("%%choline --no-pull\nopen('out/later.txt', 'w').write('later')")
    assert not (project / "out/later.txt").exists()
    job = there.run(
        "from choline_jupyter.session.bridge import get_bridge\nget_bridge().engine.store.list_jobs(limit=1)[0].id"
    )
    there.run("%choline pull " + job.read_result().strip("'"))
    assert (project / "out/later.txt").read_text() == "later"


def test_a_secret_stays_and_that_is_said_once(there: DrivenKernel) -> None:
    run = there.run(HEAD + "open('.env').read()")
    assert run.reply["ename"] == "FileNotFoundError"
    assert "stays here, because it is named like a secret; --with sends it" in run.read("stderr")
    assert "stays here" not in there.run(HEAD + "os.path.exists('.env') and open('.env')").read("stderr")
    assert there.run("%%choline --with .env\nopen('.env').read()").read_result() == "'PASSWORD=1'"


def test_files_are_listed_with_their_reasons(there: DrivenKernel) -> None:
    shown = there.run("%choline files").read()
    assert "data/table.csv" in shown
    assert "open(...) in cell" in shown
    assert "unrelated.txt" not in shown


def test_a_session_with_this_folder_is_another_one(there: DrivenKernel) -> None:
    run = there.run("%%choline --session plain\nimport os\n'unrelated.txt' in os.listdir('.')")
    assert run.read_result() == "True"


def test_what_lies_outside_is_asked_about_once(there: DrivenKernel, isolation: Isolation) -> None:
    outside = isolation.folder.parent / "outside"
    outside.mkdir()
    for name in ("a.txt", "b.txt"):
        (outside / name).write_text(name)
    code = f"%%choline --isolated\n[open('{outside}/' + name).read() for name in ('a.txt', 'b.txt')]"
    run = there.run(code, answers=["y"])
    [question] = run.questions
    assert "lies outside of the project" in question["content"]["prompt"]
    assert run.read_result() == "['a.txt', 'b.txt']"
    assert there.run(code).questions == []


def test_a_script_has_its_files_and_gives_back_its_results(there: DrivenKernel, project: Path) -> None:
    (project / "run.py").write_text(
        "import sys, model\nfrom pathlib import Path\n"
        "text = Path(sys.argv[1]).read_text() + Path('data', 'table.csv').read_text()\n"
        "Path('sum.txt').write_text(text)\nprint(sorted(path.name for path in Path('.').iterdir()))\n"
    )
    (project / "argument.txt").write_text("argument ")
    shown = there.run(f"!{sys.executable} -m choline_jupyter files run.py").read()
    assert "data/table.csv" in shown
    assert "the script" in shown
    run = there.run(f"!{sys.executable} -m choline_jupyter run.py --isolated -- argument.txt")
    assert "fetched on demand" not in run.read("stderr")
    assert (project / "sum.txt").read_text() == "argument a,b\n1,2\n"


def test_a_value_that_is_made_anew_there_finds_its_files(there: DrivenKernel, project: Path) -> None:
    (project / "only_here.txt").write_text("one\ntwo\n")
    there.run("lines = iter(open('only_here.txt').read().splitlines())")
    run = there.run(HEAD + "list(lines)")
    assert run.read_result() == "['one', 'two']", run.read("stderr")
