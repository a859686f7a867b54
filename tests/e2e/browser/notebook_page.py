"""A notebook open in JupyterLab in a real browser, driven as a user drives it. Made by conftest.py for each test.

Cells are run through JupyterLab's own commands, not by clicks: a click before the kernel is ready loses the execution.
Cells are counted from 0. Times are seconds.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from tests.e2e.browser.lab_server import LabServer

READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""
LOADED = "() => window.jupyterapp.shell.currentWidget.context.ready.then(() => null)"
EXECUTE = """([command, cell]) => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  if (cell !== null) {
    notebook.activeCellIndex = cell;
    notebook.deselectAll();
  }
  window.commandDone = false;
  // Not awaited: the cell may wait for the test, and a failing cell rejects.
  window.jupyterapp.commands.execute(command).finally(() => { window.commandDone = true; });
}"""
CELL = "index => window.jupyterapp.shell.currentWidget.content.model.sharedModel.getCell(index).toJSON()"
WRITE = """([index, source]) =>
  window.jupyterapp.shell.currentWidget.content.model.sharedModel.getCell(index).setSource(source)"""


class NotebookPage:
    """One browser page and the notebook open in it."""

    def __init__(self, page: Page, lab: LabServer) -> None:
        self.page = page
        self.lab = lab
        self.console_errors: list[str] = []
        page.on("console", self._remember)

    def open_lab(self, workspace: str = "") -> None:
        """JupyterLab without a document; a second tab needs a `workspace` of its own, else it loads itself once more."""
        path = f"lab/workspaces/{workspace}" if workspace else "lab"
        self.page.goto(f"{self.lab.url}/{path}?token={self.lab.token}&reset")
        self.page.wait_for_function("() => window.jupyterapp !== undefined")
        self.page.evaluate("() => window.jupyterapp.restored")
        # What an empty JupyterLab opens then takes the keyboard when it comes.
        expect(self.page.locator(".jp-Launcher")).to_be_visible(timeout=60_000)

    def open_notebook(self, path: str, application: str = "lab/tree", *, is_busy: bool = False) -> None:
        """Open `path`, relative to the server's folder, and wait until its kernel can run a cell, unless it is busy."""
        self.page.goto(f"{self.lab.url}/{application}/{path}?token={self.lab.token}&reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.evaluate(LOADED if is_busy else READY)

    def wait_for_cells(self, count: int) -> None:
        """Wait for a notebook that something in the page opens, with so many cells, and its kernel."""
        expect(self.page.locator(".jp-Notebook .jp-Cell")).to_have_count(count, timeout=60_000)
        self.page.evaluate(READY)

    def run_all(self) -> None:
        """Start Run All Cells; `wait_done` waits for its end."""
        self._execute("notebook:run-all-cells")

    def run_cell(self, index: int) -> None:
        """Start one cell; `wait_done` waits for its end."""
        self._execute("notebook:run-cell", index)

    def wait_done(self, timeout: float = 30) -> None:
        """Wait until what `run_all` or `run_cell` started has ended, well or not."""
        self.page.wait_for_function("() => window.commandDone", timeout=timeout * 1000)

    def wait_for_text(self, index: int, text: str, timeout: float = 30) -> None:
        """Wait until the output of a cell shows `text`."""
        expect(self.output_area(index)).to_contain_text(text, timeout=timeout * 1000)

    def interrupt(self) -> None:
        """Press the toolbar's stop button."""
        self.page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]').click()

    def answer(self, text: str) -> None:
        """Type `text` into the box of a waiting `input()` and send it."""
        box = self.page.locator(".jp-Stdin-input")
        box.fill(text)
        box.press("Enter")

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save').then(() => null)")

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """The cell's outputs as the notebook file would hold them."""
        outputs: list[dict[str, Any]] = self._cell(index)["outputs"]
        return outputs

    def source(self, index: int) -> str:
        """What stands in a cell."""
        return str(self._cell(index)["source"])

    def write(self, index: int, source: str) -> None:
        """Have this stand in a cell."""
        self.page.evaluate(WRITE, [index, source])

    def choose_cell(self, index: int) -> None:
        """Make a cell the active one."""
        self.page.evaluate("cell => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = cell; }", index)

    def execution_count(self, index: int) -> int | None:
        count: int | None = self._cell(index)["execution_count"]
        return count

    def text(self, index: int) -> str:
        """What a reader sees below the cell."""
        return self.output_area(index).inner_text()

    def output_area(self, index: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-Cell-outputArea")

    def _cell(self, index: int) -> dict[str, Any]:
        cell: dict[str, Any] = self.page.evaluate(CELL, index)
        return cell

    def _execute(self, command: str, cell: int | None = None) -> None:
        self.page.evaluate(EXECUTE, [command, cell])

    def _remember(self, message: ConsoleMessage) -> None:
        # Whoever makes a network namespace on this machine has the browser repeat what it is loading, and say so.
        if message.type == "error" and "ERR_NETWORK_CHANGED" not in message.text:
            self.console_errors.append(message.text)
