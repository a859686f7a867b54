"""IPython's own magics and shell commands inside a cell that runs elsewhere."""

from __future__ import annotations

import re

import pytest

from tests.e2e.kernels.pair import Pair
from tests.e2e.kernels.transcript import describe

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("!echo from the shell; echo to stderr >&2", id="shell"),
        pytest.param("lines = !printf 'a\\nb\\n'\nlines", id="shell-captured"),
        pytest.param("word = 'value'\n!echo {word} $word", id="shell-variables"),
        pytest.param("!exit 3\n_exit_code", id="shell-status"),
        pytest.param("%env CHOLINE_ROW=set here\n!echo $CHOLINE_ROW", id="env"),
        pytest.param("import os\nos.environ['CHOLINE_ROW']", id="env-kept"),
        pytest.param("%pip --version", id="pip"),
        pytest.param("%mkdir -p below\n%cd below", id="cd"),
        pytest.param("%pwd", id="cd-kept"),
        pytest.param("%cd ..", id="cd-back"),
        pytest.param("%cd /nowhere/at/all", id="cd-nowhere"),
        pytest.param("%who_ls str", id="who"),
        pytest.param("%precision 2\n3.14159", id="precision"),
        pytest.param("%no_such_magic", id="unknown-magic"),
        pytest.param("%%no_such_cell_magic\ntext", id="unknown-cell-magic"),
        pytest.param("%%bash\necho from bash; echo $0 >&2", id="bash"),
        pytest.param("%%bash\nexit 4", id="bash-fails"),
        pytest.param("!touch written.txt", id="touch"),
        pytest.param("%%writefile written.txt\nsome text", id="writefile"),
        pytest.param("!cat written.txt", id="written"),
        pytest.param("%%capture captured\nprint('kept')\n1 + 1", id="capture-inside"),
        pytest.param("captured.stdout, captured.outputs", id="captured"),
        pytest.param("%%html\n<b>bold</b>", id="html"),
        pytest.param("%%python\nprint('another interpreter')", id="python"),
        pytest.param("%run written_script.py", id="run-missing"),
        pytest.param("%config InlineBackend", id="config"),
        pytest.param("%autosave 60", id="autosave"),
        pytest.param("%tb", id="tb-without-error"),
    ],
)
def test_magic(pair: Pair, code: str) -> None:
    pair.compare(code)


@pytest.mark.parametrize(
    "code", ["%time 1 + 1", "%%time\nvalue = 7\nvalue", "%timeit -n1 -r1 pass", "%%timeit -n1 -r1\npass"]
)
def test_timing(pair: Pair, code: str) -> None:
    plain, remote = (describe(run)["messages"] for run in pair.run(code))
    assert [message["type"] for message in remote] == [message["type"] for message in plain]
    assert list(map(words, remote)) == list(map(words, plain))


def words(message: dict[str, object]) -> list[str]:
    """The text of a message without its figures and units."""
    return re.findall(r"[A-Za-z_]{3,}", str(message["content"]))


def test_a_local_change_of_folder_is_followed(pair: Pair) -> None:
    pair.run_locally("%mkdir -p elsewhere\n%cd -q elsewhere")
    pair.compare("%pwd")
    pair.run_locally("%cd -q ..")
    pair.compare("import os; os.getcwd()")
