"""choline's panel in a page, as a user sees and uses it; and pictures of it.

Made by the tests of this folder. Pictures go to the folder that CHOLINE_PICTURES names, nowhere without it.
"""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

TAB = 'li.lm-TabBar-tab[data-id="choline-panel"]'
WAIT = 60_000


class PanelPage:
    """The panel in `page`, in which JupyterLab is open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.locator("#choline-panel")

    def open(self) -> None:
        """Click its tab in the sidebar."""
        self.page.locator(TAB).click()
        expect(self.panel).to_be_visible(timeout=WAIT)

    @property
    def sessions(self) -> Locator:
        return self.panel.locator("[data-session]")

    @property
    def jobs(self) -> Locator:
        return self.panel.locator("[data-job]")

    def button(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name)

    def unfold(self, title: str) -> None:
        """Open a section, if it is not."""
        head = self.panel.locator("h2").get_by_role("button", name=title)
        expect(head).to_be_visible(timeout=WAIT)
        if head.get_attribute("aria-expanded") == "false":
            head.click()

    def confirm(self, name: str) -> None:
        """Press a button of the dialog that is open."""
        self.page.locator(".jp-Dialog").get_by_role("button", name=name).click()

    def take_picture(self, name: str) -> None:
        folder = os.environ.get("CHOLINE_PICTURES")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def take_whole_picture(self, name: str) -> None:
        """Of the panel alone, as high as all that is in it."""
        if os.environ.get("CHOLINE_PICTURES"):
            size = self.page.viewport_size
            height = self.panel.evaluate("node => node.scrollHeight")
            assert size
            self.page.set_viewport_size({"width": size["width"], "height": int(height) + 80})
            self.panel.screenshot(path=Path(os.environ["CHOLINE_PICTURES"]) / f"{name}.png")
            self.page.set_viewport_size(size)
