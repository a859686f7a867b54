"""Money in the panel for everybody: what is spent is seen in both themes, narrow, by keyboard alone and in two tabs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.ledger.ledger import Ledger
from choline_jupyter.model.event import Kind, Series
from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.wire.record import decode_record, encode_record
from tests.e2e.browser.accessibility import find_faults, press_tab_until, use_theme
from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import WAIT, PanelPage
from tests.fakes.cloud import Cloud
from tests.fakes.lambda_cloud import LambdaCloud
from tests.fakes.runpod import RunPodCloud
from tests.server.rentals import configure_money, save_machine

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]

GB = 10**9
CODE = "train(model, data, steps=40)"


@pytest.fixture(scope="module")
def clouds() -> Iterator[dict[str, Cloud]]:
    made: dict[str, Cloud] = {"lambda": LambdaCloud(), "runpod": RunPodCloud()}
    yield made
    for cloud in made.values():
        cloud.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, clouds: dict[str, Cloud]) -> Iterator[LabServer]:
    """A user who has rented for a month, has a machine whose budget is spent and one that has just been asked for."""
    folder = tmp_path_factory.mktemp("lab")
    server = LabServer(folder)
    server.rent_from(clouds)
    configure_money(folder / "home" / ".config", "[money]\nbudget = 5\nmonthly = 20\nauto_approve = 1\n")
    save_past(find_record(server))
    save_present(find_record(server))
    server.start()
    yield server
    server.stop()


def find_record(server: LabServer) -> Path:
    folder = Path(server.environment["HOME"], ".local", "share", "choline")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def save_past(folder: Path) -> None:
    ledger, now = Ledger(folder), time.time()
    for day in (1, 2, 3, 6, 8, 9, 13, 14, 20, 21, 22, 27):
        end = now - day * 86400
        row = save_machine(ledger, 100 + day, hours=1 + day % 5, budget=9.0, session=f"s-{day}", now=end)
        ledger.update_instance(row.id, InstanceState.GONE)
        ledger.money.note_rate(row.id, end, 0.0, 0.0)
    ledger.close()


def save_present(folder: Path) -> None:
    ledger, store, now = Ledger(folder), EventStore(folder), time.time()
    spent = save_machine(ledger, 1, hours=0.9, budget=1.0, session="s-spent")
    fine = save_machine(ledger, 2, hours=0.4, session="s-fine")
    save_machine(ledger, 3, InstanceState.BOOTING, hours=0.01, session="s-next")
    for row, name in ((spent, "/home/me/finetune.ipynb"), (fine, "/home/me/train.ipynb")):
        store.save_session(
            SessionRow(
                row.session, name, row.provider, row.label, "/home/me", 1, SessionState.READY, now - 1400, Trust.RENTED
            )
        )
    job = JobRow("j-train", "s-fine", state=JobState.DONE, code=CODE, created_at=now - 1300, started_at=now - 1300)
    store.save_job(JobRow(**{**vars(job), "ended_at": now - 100}))
    for rank in range(4):
        save_course(store, Series("s-fine", 1, rank), now)
    assert store.flush(30)
    store.close()
    ledger.close()


def save_course(store: EventStore, series: Series, now: float) -> None:
    """What a GPU took over forty reports, and on the first rank what the code logged."""
    for seq in range(1, 41):
        busy = 0.5 + 0.45 * ((seq * 7 + series.rank * 3) % 11) / 11
        gpu = {"index": series.rank, "busy": busy, "memory": 30 * GB + seq * GB, "total": 80 * GB, "power": 350.0}
        told = {"telemetry": {"rank": series.rank, "seconds": seq * 10.0, "memory": GB, "cpu": 1.0, "gpu": gpu}}
        logged = {"step": seq, "total": 40, "metrics": {"loss": 9 / seq, "mfu": 0.41}}
        put(store, series, seq * 2 - 1, told, now)
        put(store, series, seq * 2, told if series.rank else logged, now)


def put(store: EventStore, series: Series, seq: int, fact: Mapping[str, object], now: float) -> None:
    body = json.dumps(fact).encode()
    record = b"".join(encode_record(seq, Kind.METRIC, "j-train", 1, now, [b"{}", b"{}", b"{}", body]))
    assert store.put(decode_record(series, record), record)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_no_serious_fault(panel: PanelPage, theme: str) -> None:
    use_theme(panel.page, theme)
    panel.jobs.first.locator(".jp-choline-Title").click()
    expect(panel.panel.locator("[data-rank]")).to_have_count(4, timeout=WAIT)
    expect(panel.panel).to_contain_text("MFU 41 %")
    for title in ("Offers", "Budget"):
        panel.unfold(title)
    panel.panel.get_by_role("combobox", name="GPU").fill("a100")
    panel.button("Search").click()
    expect(panel.panel.locator("[data-offer]").first).to_be_visible(timeout=WAIT)
    assert find_faults(panel.page) == [], json.dumps(find_faults(panel.page), indent=1)
    panel.take_picture(f"panel-gpus-{theme.rpartition(' ')[2].lower()}")
    panel.take_whole_picture(f"panel-whole-{theme.rpartition(' ')[2].lower()}")


def test_a_budget_that_is_reached_is_said(panel: PanelPage) -> None:
    spent = panel.sessions.filter(has_text="finetune.ipynb")
    expect(spent.get_by_role("alert")).to_contain_text("Its budget is spent", timeout=WAIT)
    expect(spent.get_by_role("meter")).to_have_attribute("data-level", "spent")
    fine = panel.sessions.filter(has_text="train.ipynb")
    expect(fine).to_contain_text("of $5.00 spent")
    expect(fine.get_by_role("alert")).to_have_count(0)
    expect(panel.panel.locator("[data-machine]")).to_contain_text("is starting")
    panel.unfold("Budget")
    expect(panel.panel.get_by_role("meter", name="Budget of the month")).to_be_visible()
    expect(panel.panel).to_contain_text("of $20.00 this month")
    expect(panel.panel).to_contain_text("A notebook can lower them, never raise them.")


def test_nothing_runs_over_the_edge_of_a_narrow_sidebar(panel: PanelPage) -> None:
    panel.unfold("Offers")
    panel.button("Search").click()
    expect(panel.panel.locator("[data-offer]").first).to_be_visible(timeout=WAIT)
    panel.panel.evaluate("node => { node.parentElement.style.width = '200px'; node.style.width = '200px'; }")
    assert panel.panel.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    panel.take_whole_picture("panel-narrow")


def test_an_offer_is_found_and_used_by_keyboard_alone(panel: PanelPage, notebook_page: NotebookPage) -> None:
    page = panel.page
    panel.panel.locator("h2 button").first.focus()
    press_tab_until(page, "jp-choline-offers", "id")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("a10")
    page.keyboard.press("Enter")
    offer = panel.panel.locator("[data-offer]").first
    expect(offer).to_contain_text("A10", timeout=WAIT)
    press_tab_until(page, str(offer.get_by_role("button", name="Use").get_attribute("aria-label")))
    page.keyboard.press("Enter")
    notebook_page.wait_for_cells(2)
    assert notebook_page.source(1).startswith("%%choline --gpu a10 --provider lambda")
    assert "--budget" not in notebook_page.source(1)  # the user's configuration has one


def test_two_tabs_show_the_same_and_hear_of_the_same(panel: PanelPage, lab: LabServer, browser: Browser) -> None:
    second = NotebookPage(panel.page.context.new_page(), lab)
    second.open_lab("second")
    other = PanelPage(second.page)
    other.open()
    for one in (panel, other):
        expect(one.panel.locator("[data-machine]")).to_contain_text("is starting", timeout=WAIT)
    ledger = Ledger(find_record(lab))
    ledger.update_instance("i-3", InstanceState.GONE)
    ledger.close()
    for one in (panel, other):
        expect(one.panel.locator("[data-machine]")).to_have_count(0, timeout=WAIT)
        expect(one.sessions).to_have_count(2)
