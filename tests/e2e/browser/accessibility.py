"""What the tests of everybody's use of the panel have in common: axe-core, themes, the keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.source_tree import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """async area => {
  const found = await window.axe.run(area, { resultTypes: ['violations'] });
  return found.violations.map(one => [one.impact, one.id, one.nodes.map(node => node.html)]);
}"""


def find_faults(page: Page, area: str = "#choline-panel") -> list[tuple[str, str, list[str]]]:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci")
    page.evaluate(AXE.read_text())
    found: list[tuple[str, str, list[str]]] = page.evaluate(RUN_AXE, area)
    return [fault for fault in found if fault[0] in ("serious", "critical")]


def use_theme(page: Page, theme: str) -> None:
    page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', { theme: name })", theme)
    page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=theme)


def press_tab_until(page: Page, label: str, attribute: str = "aria-label") -> None:
    """Until what has the keyboard has this label, or another attribute of this value."""
    page.keyboard.press("Tab")
    for _ in range(80):
        if page.evaluate("name => document.activeElement.getAttribute(name)", attribute) == label:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {label!r}")
