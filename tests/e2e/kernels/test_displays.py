"""Rich output: display, updates, clearing, and every kind of picture and table."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.pair import Pair

pytestmark = pytest.mark.e2e

UPDATES = """
from IPython.display import HTML, display
handle = display("before", display_id="same")
for number in range(5):
    handle.update(HTML(f"<b>{number}</b>"))
"""
CLEARING = """
from IPython.display import clear_output
for number in range(5):
    clear_output(wait=True)
    print(number)
clear_output()
print("end")
"""
PROGRESS = """
from IPython.display import ProgressBar
for number in ProgressBar(3):
    print(number)
"""
KINDS = """
from IPython.display import JSON, SVG, HTML, Image, Javascript, Latex, Markdown, Math, Pretty, Code, FileLink, display
import base64
png = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
svg = "<svg xmlns='http://www.w3.org/2000/svg'><circle r='4'/></svg>"
display(
    Latex("$x^2$"), Math("e^{i\\\\pi}"), Markdown("# title"), JSON({"a": [1, None]}), SVG(svg), Image(png, width=10),
    HTML("<i>text</i>", metadata={"isolated": True}), Javascript("1 + 1"), Pretty("pretty"), Code("x = 1"),
)
display({"text/plain": "raw", "application/vnd.own+json": {"deep": {"er": 1}}}, raw=True, metadata={"own": 1})
"""
FIGURE = """
%matplotlib inline
import matplotlib.pyplot as plt
plt.plot([1, 2, 4])
plt.title("squares");
"""
DRAWING = """
%config InlineBackend.figure_formats = ['svg']
%config InlineBackend.print_figure_kwargs = {'metadata': {'Date': None}}
plt.rcParams["svg.hashsalt"] = "same"
plt.plot([1, 2]);
"""
TWO_FIGURES = """
for power in (1, 2):
    plt.figure()
    plt.plot([n ** power for n in range(5)])
    plt.show()
    print("shown", power)
"""
TABLE = """
import pandas
table = pandas.DataFrame({"a": [1, 2], "b": ["x", None]})
display(table)
table.describe()
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(UPDATES, id="updates"),
        pytest.param("handle.update('from a later cell')", id="update-from-later-cell"),
        pytest.param("display('again', display_id='same', update=True)", id="update-by-name"),
        pytest.param(CLEARING, id="clearing"),
        pytest.param(PROGRESS, id="progress"),
        pytest.param(KINDS, id="kinds"),
        pytest.param(FIGURE, id="figure"),
        pytest.param("plt.gcf().axes, plt.get_fignums()", id="figures-are-closed"),
        pytest.param(TWO_FIGURES, id="two-figures"),
        pytest.param(DRAWING, id="drawing"),
        pytest.param("%config InlineBackend.figure_formats = ['retina']\nplt.plot([1, 2]);", id="retina"),
        pytest.param("figure = plt.figure(); figure.add_subplot(); figure", id="figure-as-result"),
        pytest.param(TABLE, id="table"),
        pytest.param("table.style.highlight_max()  \ntable", id="table-as-result"),
    ],
)
def test_display(pair: Pair, code: str) -> None:
    story = pair.compare(code)
    assert story["reply"]["status"] == "ok"


def test_fifty_megabytes(pair: Pair) -> None:
    code = "display({'text/plain': 'x' * 50_000_000}, raw=True)"
    plain, remote = pair.run(f"from IPython.display import display; {code}")
    assert [m["content"] for m in remote.messages] == [m["content"] for m in plain.messages]
    pair.compare("'the next cell'")
