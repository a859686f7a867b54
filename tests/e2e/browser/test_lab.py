"""JupyterLab has the extension, and notebooks run in it as before."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

import choline_jupyter
from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(180)]


def test_extension_is_listed(lab: LabServer) -> None:
    listed = lab.run("jupyterlab.labextensions", "list")
    text = re.sub(r"\x1b\[[0-9;]*m", "", listed.stdout + listed.stderr)
    assert f"choline-jupyter v{choline_jupyter.__version__} enabled OK" in text


def test_extension_is_loaded_and_reaches_its_server(notebook_page: NotebookPage) -> None:
    notebook_page.open_lab()
    page = notebook_page.page
    assert page.evaluate("() => window.jupyterapp.isPluginActivated('choline-jupyter:plugin')")
    page.evaluate("() => { void window.jupyterapp.commands.execute('choline:about'); }")
    dialog = page.locator(".jp-Dialog .jp-choline-About")
    expect(dialog).to_contain_text(f"This page: choline {choline_jupyter.__version__}.")
    expect(dialog).to_contain_text(f"Server: choline {choline_jupyter.__version__}")
    expect(dialog.get_by_role("alert")).to_have_count(0)
    assert notebook_page.console_errors == []


def test_about_is_in_the_command_palette(notebook_page: NotebookPage) -> None:
    notebook_page.open_lab()
    page = notebook_page.page
    page.wait_for_selector(".jp-Launcher")  # which takes the focus, and so closes the palette
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:activate-command-palette').then(() => null)")
    page.locator(".lm-CommandPalette-input").fill("choline: about")
    page.locator('.lm-CommandPalette-item[data-command="choline:about"]').click()
    expect(page.locator(".jp-Dialog")).to_contain_text("About choline")


def test_run_all_stops_at_the_cell_that_fails(notebook_page: NotebookPage, lab: LabServer) -> None:
    cells = ["print('one')\n6 * 7", "1/0", "print('must not run')"]
    notebook_page.open_notebook(lab.write_notebook("plain.ipynb", *cells))
    notebook_page.run_all()
    notebook_page.wait_done()
    assert [output["output_type"] for output in notebook_page.outputs(0)] == ["stream", "execute_result"]
    assert "one" in notebook_page.text(0)
    assert notebook_page.outputs(1)[0]["ename"] == "ZeroDivisionError"
    assert notebook_page.outputs(2) == []
    assert [notebook_page.execution_count(index) for index in range(3)] == [1, 2, None]


def test_stop_button_keeps_the_state(notebook_page: NotebookPage, lab: LabServer) -> None:
    waiting = "import time\nkept = 1\nprint('started')\ntime.sleep(120)"
    notebook_page.open_notebook(lab.write_notebook("stop.ipynb", waiting, "kept + 40"))
    notebook_page.run_cell(0)
    notebook_page.wait_for_text(0, "started")
    notebook_page.interrupt()
    notebook_page.wait_done()
    assert notebook_page.outputs(0)[-1]["ename"] == "KeyboardInterrupt"
    notebook_page.run_cell(1)
    notebook_page.wait_for_text(1, "41")


def test_input_is_answered_in_the_page(notebook_page: NotebookPage, lab: LabServer) -> None:
    notebook_page.open_notebook(lab.write_notebook("ask.ipynb", "print('hello', input('who? '))"))
    notebook_page.run_cell(0)
    notebook_page.answer("Ann")
    notebook_page.wait_for_text(0, "hello Ann")
    notebook_page.wait_done()
