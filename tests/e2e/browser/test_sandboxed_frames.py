"""What a rented machine shows, in a real browser: hostile documents in our frame run nothing and reach nobody."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Request, Route

from choline_jupyter.session.sandbox import embed_svg, frame_html
from tests.session.hostile import HTML, ONLOAD

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

ORIGIN = "http://notebook.test/"
CALLS = (
    "<script>parent.postMessage('ran', '*')</script>",
    "<img src=x onerror=\"parent.postMessage('ran', '*')\">",
    "<svg onload=\"parent.postMessage('ran', '*')\">",
    "</iframe><script>window.ran = true</script>",
    '"><script>window.ran = true</script>',
)


@pytest.fixture
def page(browser: Browser) -> Page:
    """A page that notes in `window.ran` when somebody runs something."""
    made = browser.new_context().new_page()
    made.add_init_script(
        "window.ran = false; window.addEventListener('message', event => { if (event.data === 'ran') window.ran = true; })"
    )
    return made


def show(page: Page, body: str) -> list[str]:
    """Load a page with this body, wait for everything in it, and return what it has asked for from elsewhere."""
    asked: list[str] = []

    def answer(route: Route, request: Request) -> None:
        if request.url == ORIGIN:
            route.fulfill(body=f"<!doctype html><body>{body}</body>", content_type="text/html")
        else:
            asked.append(request.url)
            route.fulfill(body="window.ran = true", content_type="text/javascript")

    page.unroute_all()
    page.route("**/*", answer)
    page.goto(ORIGIN, wait_until="networkidle")
    return [url for url in asked if not url.startswith(("data:", "about:"))]


def test_the_page_would_notice(page: Page) -> None:
    """The same documents without our frame: the test can fail."""
    assert show(page, "<img src=x onerror=\"fetch('//evil.example/')\">") != []
    show(page, "<iframe srcdoc=\"<script>parent.postMessage('ran', '*')</script>\"></iframe>")
    assert page.evaluate("window.ran")


@pytest.mark.parametrize("number", range(len(HTML) + len(CALLS)))
def test_a_hostile_document_does_nothing(page: Page, number: int) -> None:
    source = [*HTML, *CALLS][number].encode("utf-8", "replace").decode()
    assert show(page, frame_html(source, "text")) == []
    assert not page.evaluate("window.ran")
    assert page.url == ORIGIN
    assert page.locator("iframe").count() == 1


def test_a_hostile_picture_does_nothing(page: Page) -> None:
    assert show(page, embed_svg(ONLOAD, "text")) == []
    assert not page.evaluate("window.ran")


def test_a_table_is_shown(page: Page) -> None:
    show(page, frame_html("<table><tr><td>forty-two</td></tr></table>", "text"))
    assert page.frame_locator("iframe").locator("td").inner_text() == "forty-two"
