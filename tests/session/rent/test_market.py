"""Offers ranked by the expected total of the run, asked from all providers at once."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.ledger.money import Failure
from choline_jupyter.model.offer import GIB, Offer, Price, Wish
from choline_jupyter.providers.failure import ProviderFailure
from choline_jupyter.providers.fit import fits
from choline_jupyter.session.rent.ledger_report import render_market
from choline_jupyter.session.rent.market import Found, Plan, estimate, rank, survey
from tests.fakes.memory_provider import MemoryProvider


def make_offer(name: str = "a", hour: float = 1.0, **fields: object) -> Offer:
    offer = Offer("vast", name, "RTX 3090", 4, 24 * GIB, price=Price(hour), host=f"host-{name}")
    return dataclasses.replace(offer, **fields)  # type: ignore[arg-type]


def test_the_total_of_the_run_ranks_not_the_price_per_hour() -> None:
    cheap = make_offer("cheap", price=Price(0.9, upload=1.0))
    dear = make_offer("dear", price=Price(1.0, upload=0.0))
    ranked = rank([cheap, dear], Wish(), Plan(hours=1, up=GIB))
    assert [one.offer.name for one in ranked] == ["dear", "cheap"]


def test_the_arithmetic_adds_up_and_credit_comes_off_last() -> None:
    offer = make_offer(price=Price(2.0, disk=0.73, upload=0.01, download=0.02), wait=360.0)
    one = estimate(offer, Plan(hours=3, up=10 * GIB, down=5 * GIB, disk=100 * GIB), credit=1.5)
    assert dict(one.parts) == pytest.approx(
        {"machine": 6.0, "boot and queue": 0.2, "disk": 0.31, "transfer": 0.2, "credit": -1.5}
    )
    assert one.total == pytest.approx(5.21)


@given(
    hour=st.floats(0, 100), disk=st.floats(0, 2), moved=st.integers(0, 1 << 40), credit=st.none() | st.floats(0, 500),
    hours=st.floats(0.01, 1000), wait=st.floats(0, 7200),
)  # fmt: skip
def test_parts_make_the_total_whatever_they_are(
    hour: float, disk: float, moved: int, credit: float | None, hours: float, wait: float
) -> None:
    offer = make_offer(price=Price(hour, disk, upload=0.01), wait=wait)
    one = estimate(offer, Plan(hours, moved), credit)
    assert one.total == pytest.approx(sum(amount for _, amount in one.parts), abs=1e-6)
    assert one.total >= -1e-9


def test_a_host_that_failed_comes_behind_all_others() -> None:
    offers = [make_offer("good", 5.0), make_offer("bad", 0.1)]
    ranked = rank(offers, Wish(), Plan(), [Failure("vast", "host-bad", 0.0, "it never ran")])
    assert [one.offer.name for one in ranked] == ["good", "bad"]


@pytest.mark.parametrize(
    ("wish", "does_fit"),
    [
        (Wish(), True),
        (Wish("RTX 3090", 4), True),
        (Wish("RTX 3090", 2), False),
        (Wish("H100", 4), False),
        (Wish(gpu_memory=24 * GIB), True),
        (Wish(gpu_memory=40 * GIB), False),
        (Wish(is_spot=True), False),
        (Wish(max_price=1.0), True),
        (Wish(max_price=0.99), False),
        (Wish(region="no"), True),
        (Wish(region="de"), False),
        (Wish(reliability=0.98), True),
        (Wish(reliability=0.995), False),
        (Wish(cuda="12.4"), True),
        (Wish(cuda="12.10"), False),
    ],
)
def test_what_fits_a_wish(wish: Wish, does_fit: bool) -> None:
    assert fits(make_offer(region="Oslo, NO", reliability=0.99, cuda="12.8"), wish) is does_fit


def test_a_family_takes_any_of_its_members() -> None:
    assert fits(make_offer(gpu="A100 80GB"), Wish("A100"))
    assert not fits(make_offer(gpu="A100 40GB"), Wish("A100 80GB"))


class Other(MemoryProvider):
    name = "other"


def test_one_that_is_down_is_a_footnote_and_a_slow_one_has_a_deadline() -> None:
    class Slow(MemoryProvider):
        name = "slow"

        async def list_offers(self, wish: Wish = Wish()) -> list[Offer]:  # noqa: B008 - frozen
            await asyncio.Event().wait()
            return []

    down = Other()
    down.failures["offers"] = [ProviderFailure("it is down")]
    found = asyncio.run(survey([MemoryProvider(), down, Slow()], Wish(), Plan(), deadline=0.05))
    assert len(found.offers) == 3
    assert found.notes[0] == "other: it is down"
    assert found.notes[1].startswith("slow has not answered within")


def test_the_table_shows_the_arithmetic() -> None:
    offer = make_offer(price=Price(2.0, upload=0.01), region="Oslo", is_spot=True)
    plan = Plan(hours=2, up=GIB)
    text = render_market(Found(rank([offer], Wish(is_spot=True), plan), ["modal: it is down"]), plan)
    assert "4x RTX 3090 spot" in text
    assert "machine 4.00 + transfer 0.01" in text
    assert text.endswith("! modal: it is down")
    assert render_market(Found([], []), plan).startswith("Nobody offers that now.")


def test_many_of_a_kind_do_not_hide_the_others() -> None:
    """The cheapest of each kind are shown, in their places of the whole ranking."""
    alike = [make_offer(f"a{number}", 1.0 + number / 100) for number in range(40)]
    other = make_offer("other", 5.0, provider="modal", gpu="A100")
    text = render_market(Found(rank([*alike, other], Wish(), Plan()), []), Plan())
    places = [line.split()[0] for line in text.splitlines()[1:5]]
    assert places == ["1", "2", "3", "41"]
    assert "and 37 more like these." in text


def test_parts_below_a_cent_are_not_shown() -> None:
    offer = make_offer(price=Price(1.0, disk=0.1))
    text = render_market(Found(rank([offer], Wish(), Plan()), []), Plan())
    assert text.splitlines()[1].endswith("  machine 1.00")
