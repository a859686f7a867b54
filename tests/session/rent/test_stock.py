"""Which offers several machines are tried from, and who gets which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.model.offer import Offer, Price
from choline_jupyter.session.rent.market import Plan, Ranked, estimate
from choline_jupyter.session.rent.stock import TRIES, Stock, choose


def make(name: str, hour: float = 1.0, network: str = "", *, is_kind: bool = False, failures: int = 0) -> Ranked:
    offer = Offer("vast", name, price=Price(hour), host="" if is_kind else f"host-{name}", network=network)
    return estimate(offer, Plan(), failures=failures)


def test_a_machine_is_given_to_one_and_a_kind_to_all() -> None:
    stock = Stock([make("machine"), make("kind", is_kind=True)])
    first: list[Ranked] = []
    second: list[Ranked] = []
    assert [one.offer.name for one in (stock.take(first), stock.take(first)) if one] == ["machine", "kind"]
    assert stock.take(first) is None
    assert [one.offer.name for one in (stock.take(second),) if one] == ["kind"]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, "attic"), (2, "cellar"), (3, "loft"), (4, "loft")],
)
def test_the_network_in_which_all_cost_least_together(count: int, expected: str) -> None:
    offers = [make("a", 1, "attic"), make("b", 2, "cellar"), make("c", 2, "cellar"), make("d", 3, "loft", is_kind=True)]
    assert {one.offer.network for one in choose(offers, count, has_network=True)} == {expected}


def test_hosts_that_have_failed_come_last() -> None:
    offers = [make("a", 2, "cellar"), make("b", 2, "cellar"), make("c", 1, "attic", failures=1), make("d", 1, "attic")]
    assert {one.offer.network for one in choose(offers, 2, has_network=True)} == {"cellar"}


def test_nobody_has_so_many() -> None:
    assert choose([make("a", 1, "attic"), make("b", 1, "cellar")], 2, has_network=True) == []


@given(st.lists(st.booleans(), max_size=12), st.integers(1, 4))
def test_whatever_is_chosen_is_enough_for_all(kinds: list[bool], count: int) -> None:
    chosen = choose([make(str(place), is_kind=kind) for place, kind in enumerate(kinds)], count, has_network=False)
    stock = Stock(chosen)
    assert all(stock.take([]) for _ in range(count if chosen else 0))
    assert len(chosen) < TRIES + count
    assert bool(chosen) == (any(kinds) or len(kinds) >= count)
