"""Nothing is lost when the browser goes away: the cell is filled in to the last line, whatever else went away too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.other_executor import installed
from tests.e2e.browser.panel_page import WAIT, PanelPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]

LOAD = "%load_ext choline_jupyter"
CELL = """%%choline
import pathlib, time
from IPython.display import display
shown = display('waiting', display_id=True)
for line in range(200):
    print('early', line)
while not pathlib.Path('NAME.go').exists():
    time.sleep(0.02)
shown.update('went on')
for line in range(200):
    print('late', line)
6 * 7"""
LINES = [f"{when} {line}" for when in ("early", "late") for line in range(200)]


class Story:
    """One notebook whose cell waits for a file; pages come and go."""

    def __init__(self, name: str, lab: LabServer, browser: Browser) -> None:
        self.name, self.lab, self._browser = name, lab, browser
        self._contexts: list[BrowserContext] = []
        self._go = lab.root / f"{name}.go"
        self.notebook = lab.write_notebook(f"{name}.ipynb", LOAD, CELL.replace("NAME", name))

    def open(self, *, is_busy: bool = True) -> NotebookPage:
        """A fresh browser with the notebook, whose kernel may be running the cell."""
        self._contexts.append(self._browser.new_context(viewport={"width": 1280, "height": 1000}))
        page = NotebookPage(self._contexts[-1].new_page(), self.lab)
        page.open_notebook(self.notebook, is_busy=is_busy)
        return page

    def begin(self) -> NotebookPage:
        """Run the cell until it waits."""
        page = self.open(is_busy=False)
        page.run_all()
        page.wait_for_text(1, "early 199")
        return page

    def leave(self, page: NotebookPage) -> None:
        """Close the browser, the notebook saved as it stands."""
        page.save()
        page.page.context.close()
        self._contexts.remove(page.page.context)

    def let_go(self) -> None:
        Path(self._go).touch()

    def close(self) -> None:
        self.let_go()
        for context in self._contexts:
            context.close()
        self.lab.shutdown_kernels()


@pytest.fixture
def story(request: pytest.FixtureRequest, lab: LabServer, browser: Browser) -> Iterator[Story]:
    made = Story(request.node.name.removeprefix("test_"), lab, browser)
    yield made
    made.close()


def check_complete(page: NotebookPage) -> None:
    """Every line once and in order, the display as it was at the end, the result, the cell's number."""
    page.wait_for_text(1, "late 199", timeout=60)
    expect(page.page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".jp-InputPrompt")).to_have_text(
        "[2]:", timeout=WAIT
    )
    outputs = page.outputs(1)
    streams = [output for output in outputs if output["output_type"] == "stream"]
    text = "".join("".join(output["text"]) for output in streams)
    assert text.split("\n")[:-1] == LINES
    displays = [output for output in outputs if output["output_type"] == "display_data"]
    assert [output["data"]["text/plain"] for output in displays] == ["'went on'"]
    assert outputs[-1]["output_type"] == "execute_result"
    assert outputs[-1]["data"]["text/plain"] == "42"


def test_browser_closed_and_back_before_the_end(story: Story) -> None:
    story.leave(story.begin())
    page = story.open()
    page.wait_for_text(1, "early 199")
    expect(page.page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".jp-InputPrompt")).to_have_text("[*]:")
    story.let_go()
    check_complete(page)
    page.save()
    assert page.console_errors == []


def test_browser_closed_and_back_after_the_end(story: Story) -> None:
    page = story.begin()
    story.leave(page)
    story.let_go()
    page = story.open()
    check_complete(page)
    story.leave(page)
    # What was filled in is in the file, and is not filled in again: a cleared cell stays cleared.
    page = story.open()
    check_complete(page)
    page.page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs').then(() => null)")
    story.leave(page)
    page = story.open()
    expect(page.page.locator(".jp-Notebook .jp-Cell")).to_have_count(2)
    PanelPage(page.page).open()
    expect(PanelPage(page.page).jobs.first).to_be_visible(timeout=WAIT)
    assert page.outputs(1) == []


def test_kernel_killed_under_the_open_page(story: Story) -> None:
    page = story.begin()
    story.lab.shutdown_kernels()
    page.page.wait_for_function("() => window.commandDone", timeout=WAIT)
    story.let_go()
    check_complete(page)


def test_server_restarted(story: Story) -> None:
    story.leave(story.begin())
    story.lab.restart()
    page = story.open()
    page.wait_for_text(1, "early 199")
    story.let_go()
    check_complete(page)


def test_two_pages_one_writer(story: Story) -> None:
    page = story.begin()
    context = page.page.context
    second = NotebookPage(context.new_page(), story.lab)
    second.open_notebook(story.notebook, is_busy=True)
    expect(second.page.locator(".Toastify")).to_contain_text("Another page has this notebook open", timeout=WAIT)
    assert second.outputs(1) == []
    story.let_go()
    check_complete(page)
    page.page.close()
    check_complete(second)


def test_a_server_that_runs_the_cells_keeps_their_outputs(story: Story) -> None:
    """Its extension takes the place of JupyterLab's own executor; two writers would spoil the notebook."""
    story.leave(story.begin())
    story.let_go()
    with installed(Path(story.lab.environment["JUPYTER_DATA_DIR"])):
        page = story.open()
        expect(page.page.locator(".Toastify")).to_contain_text(
            "Cells are not filled in, because another extension runs its cells on the server. See the choline panel",
            timeout=WAIT,
        )
        assert "early 199" in page.text(1)
        assert "late 0" not in page.text(1)
    check_complete(story.open())
