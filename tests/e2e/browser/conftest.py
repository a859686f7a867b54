"""JupyterLab and a browser for the tests of this folder.

Nothing lives longer than a module: while Playwright's synchronous interface is open, its event loop is the running one
of the main thread, and other tests could not use asyncio.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import PanelPage

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# The browser itself is to be as silent on the network as the tests are.
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A running JupyterLab; ends with all its kernels, and fails if something outlives it."""
    server = LabServer(tmp_path_factory.mktemp("lab"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium: the system's, or else the one that `playwright install chromium` put in place."""
    with sync_playwright() as playwright:
        program = next(filter(None, map(shutil.which, PROGRAMS)), playwright.chromium.executable_path)
        if not Path(program).exists():
            pytest.skip("chromium is not installed")
        # Chromium's sandbox does not work for root.
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        launched = playwright.chromium.launch(executable_path=program, args=[*FLAGS, *sandbox])
        yield launched
        launched.close()


@pytest.fixture
def notebook_page(lab: LabServer, browser: Browser) -> Iterator[NotebookPage]:
    """A fresh browser profile with one empty page; the kernels that the test started end with it."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    yield NotebookPage(context.new_page(), lab)
    context.close()
    lab.shutdown_kernels()


@pytest.fixture
def panel(notebook_page: NotebookPage) -> PanelPage:
    """The panel of a JupyterLab without a document."""
    notebook_page.open_lab()
    made = PanelPage(notebook_page.page)
    made.open()
    return made
