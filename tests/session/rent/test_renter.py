"""Renting step by step: consent, limits, answers, deadlines, cancelling."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.errors import CholineError, RequestError
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import ANY_NETWORK, Wish
from choline_jupyter.providers.failure import KeyRejected, ProviderFailure, Throttled, Unreadable
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.limits import Limits
from choline_jupyter.session.rent.reconciler import LATE, destroy, reconcile
from choline_jupyter.session.rent.renter import NoMachine, Rent, Renter
from tests.fakes.memory_provider import FAILED, FAILED_CREATED, REFUSED, MemoryProvider


class Desk:
    """A renter with a clock of its own: pauses take no time but on it."""

    def __init__(self, directory: Path) -> None:
        self.now, self.asked, self.agrees, self.told = 1_000_000.0, [], True, []  # type: ignore[var-annotated]
        self.fleet = Fleet(directory, lambda: self.now)
        self.provider = MemoryProvider()
        self.greeting: Exception | None = None

    def rent(self, rent: Rent | None = None) -> InstanceRow:
        renter = Renter(self.fleet, [self.provider], self._agree, self._greet, lambda: None, self._pause)
        rent = rent or Rent(Wish("RTX 3090", 4), Limits(2.0))
        [row] = asyncio.run(renter.rent(rent, ["s1"], 1, lambda stage, text: self.told.append(stage)))
        return row

    def rent_two(self, rent: Rent | None = None) -> list[InstanceRow]:
        renter = Renter(self.fleet, [self.provider], self._agree, self._greet, lambda: None, self._pause)
        rent = rent or Rent(Wish("RTX 3090", 4), Limits(2.0))
        return asyncio.run(renter.rent(rent, ["s1", "s2"], 1, lambda stage, text: self.told.append(text)))

    def reconcile(self) -> None:
        asyncio.run(reconcile(self.fleet, self.provider))

    async def _agree(self, question: str) -> bool:
        self.asked.append(question)
        return self.agrees

    async def _greet(self, machine: InstanceRow) -> None:
        if self.greeting:
            error, self.greeting = self.greeting, None
            raise error

    async def _pause(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = Desk(tmp_path / "data")
    yield made
    made.fleet.close()


def configure(tmp_path: Path, text: str) -> None:
    (tmp_path / "config/choline").mkdir(parents=True)
    (tmp_path / "config/choline/config.toml").write_text(f"[money]\n{text}\n")


def test_the_cheapest_run_is_taken_and_its_stages_are_told(desk: Desk) -> None:
    row = desk.rent()
    assert (row.state, row.provider, row.session, row.budget) == (InstanceState.READY, "memory", "s1", 2.0)
    assert '"name": "offer-0"' in row.offer
    assert desk.told == ["offers", "renting", "booting", "booting"]
    [order] = desk.provider.alive.values()
    assert order.label == row.label
    assert order.deadline == pytest.approx(2.0 / (0.4 + 0.1 * 20 / 730) * 3600)


def test_nobody_pays_who_has_not_agreed(desk: Desk) -> None:
    desk.agrees = False
    with pytest.raises(RequestError, match="nobody has agreed"):
        desk.rent()
    assert not desk.provider.created
    assert not desk.fleet.ledger.list_instances()


def test_below_the_auto_approve_limit_nobody_is_asked(desk: Desk, tmp_path: Path) -> None:
    configure(tmp_path, "auto_approve = 2")
    desk.rent()
    assert not desk.asked


def test_the_months_budget_holds_for_all_machines_together(desk: Desk, tmp_path: Path) -> None:
    configure(tmp_path, "auto_approve = 2\nmonthly = 3")
    desk.rent()
    with pytest.raises(RequestError, match=r"month's budget is 3\.00 USD"):
        desk.rent()
    assert desk.provider.created == 1


def test_a_taken_offer_leads_to_the_next(desk: Desk) -> None:
    desk.provider.answers = [REFUSED]
    assert '"name": "offer-1"' in desk.rent().offer


def test_a_lost_answer_is_looked_for_and_never_asked_again(desk: Desk) -> None:
    desk.provider.answers = [FAILED_CREATED]
    assert '"name": "offer-0"' in desk.rent().offer
    assert desk.provider.created == 1


def test_what_appears_late_is_ended(desk: Desk) -> None:
    desk.provider.answers, desk.provider.lag = [FAILED_CREATED], 6
    row = desk.rent()
    assert len(desk.provider.alive) == 2
    for _ in range(8):
        desk.reconcile()
    assert set(desk.provider.alive) == {row.handle}


def test_without_any_machine_it_says_why_and_leaves_nothing(desk: Desk) -> None:
    desk.provider.answers = [REFUSED, FAILED, REFUSED]
    with pytest.raises(NoMachine, match="it is taken"):
        desk.rent()
    assert not desk.provider.alive


def test_no_offer_under_the_price(desk: Desk) -> None:
    with pytest.raises(NoMachine, match="No offer fits") as caught:
        desk.rent(Rent(Wish("RTX 3090", 4, max_price=0.01), Limits(2.0)))
    assert "under 0.01 USD/h" in caught.value.hint


def test_a_machine_that_never_runs_has_a_deadline(desk: Desk) -> None:
    desk.provider.states["m1"] = InstanceState.BOOTING
    row = desk.rent()
    assert row.handle == "m2"
    assert set(desk.provider.alive) == {"m2"}
    assert desk.now - 1_000_000 >= MemoryProvider.boot


def test_a_price_that_rose_is_not_paid(desk: Desk) -> None:
    desk.provider.hour = 9.0
    with pytest.raises(NoMachine, match=r"its price is 9\.00 USD/h now"):
        desk.rent()
    assert not desk.provider.alive


def test_a_key_revoked_in_between_ends_it_at_once(desk: Desk) -> None:
    desk.provider.failures["create"] = [KeyRejected("the key is not taken.", "log in")]
    with pytest.raises(RequestError, match="the key is not taken"):
        desk.rent()
    assert not desk.provider.created


def test_too_many_calls_wait_and_a_quota_does_not(desk: Desk) -> None:
    desk.provider.failures["create"] = [Throttled("slower"), Throttled("slower", delay=30.0)]
    desk.rent()
    assert desk.now - 1_000_000 >= 31
    desk.provider.failures["create"] = [Throttled("quota", is_quota=True)] * 3
    with pytest.raises(NoMachine, match="quota"):
        desk.rent()


def test_a_machine_that_does_not_let_us_in_is_ended(desk: Desk) -> None:
    desk.greeting = ProviderFailure("it does not let us in")
    assert desk.rent().handle == "m2"
    assert set(desk.provider.alive) == {"m2"}


def test_whoever_cancels_leaves_nothing_running(desk: Desk) -> None:
    desk.greeting = asyncio.CancelledError()  # type: ignore[assignment]  # what an interrupt becomes
    with pytest.raises(asyncio.CancelledError):
        desk.rent()
    assert not desk.provider.alive
    for _ in range(2):
        desk.reconcile()
    assert not desk.fleet.list_open()
    assert not desk.fleet.ledger.money.list_failures(0), "the host has done nothing wrong"


def test_whoever_cancels_before_a_provider_has_heard_of_it_leaves_no_intent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    renting: list[asyncio.Task[list[InstanceRow]]] = []
    record = desk.fleet.ledger.record_intent

    def cancel(row: InstanceRow) -> None:
        renting[0].get_loop().call_soon_threadsafe(renting[0].cancel)
        record(row)

    async def story() -> None:
        renter = Renter(desk.fleet, [desk.provider], desk._agree, desk._greet, lambda: None, desk._pause)
        rent = Rent(Wish("RTX 3090", 4), Limits(2.0))
        renting.append(asyncio.create_task(renter.rent(rent, ["s1"], 1, lambda stage, text: None)))
        with pytest.raises(asyncio.CancelledError):
            await renting[0]

    monkeypatch.setattr(desk.fleet.ledger, "record_intent", cancel)
    asyncio.run(story())
    assert not desk.provider.created
    assert desk.fleet.ledger.list_instances()
    assert not desk.fleet.list_open()


@pytest.mark.parametrize("failure", [Unreadable("what is that?"), ProviderFailure("down")])
def test_a_listing_that_cannot_be_read_concludes_nothing(desk: Desk, failure: ProviderFailure) -> None:
    row = desk.rent()
    for _ in range(5):
        desk.provider.failures["list"] = [failure]
        with pytest.raises(ProviderFailure):
            desk.reconcile()
    assert [one.id for one in desk.fleet.list_open()] == [row.id]


def test_gone_needs_two_listings_without_it(desk: Desk) -> None:
    row = desk.rent()
    desk.reconcile()
    order = desk.provider.alive.pop(row.handle)
    desk.reconcile()
    assert desk.fleet.list_open()
    desk.provider.alive[row.handle] = order
    desk.reconcile()
    del desk.provider.alive[row.handle]
    desk.reconcile()
    assert desk.fleet.list_open()
    desk.reconcile()
    assert not desk.fleet.list_open()


def test_a_destroy_that_is_not_taken_is_asked_for_again(desk: Desk) -> None:
    row = desk.rent()
    desk.provider.failures["destroy"] = [ProviderFailure("not yet")] * 2
    assert asyncio.run(destroy(desk.fleet, desk.provider, row)) is False
    desk.reconcile()
    assert row.handle in desk.provider.alive
    desk.reconcile()
    assert row.handle not in desk.provider.alive


def test_what_is_past_its_end_is_ended_from_here_too(desk: Desk) -> None:
    row = desk.rent()
    desk.reconcile()
    assert row.handle in desk.provider.alive
    desk.now = row.deadline_at + 1
    desk.reconcile()
    assert row.handle not in desk.provider.alive


def test_anothers_instances_are_left_alone(desk: Desk, tmp_path: Path) -> None:
    desk.rent()
    other = Desk(tmp_path / "other")
    other.provider = desk.provider
    other.now += LATE + 1
    for _ in range(3):
        report = asyncio.run(reconcile(other.fleet, other.provider))
    assert len(desk.provider.alive) == 1
    assert [len(report.strays), len(report.foreign)] == [0, 1]
    other.fleet.close()


def test_options_of_the_offer_are_kept_in_the_ledger(desk: Desk) -> None:
    desk.provider.offers = [dataclasses.replace(desk.provider.offers[0], detail={"ask": 7, "kind": "bid"})]
    assert '"ask": 7' in desk.rent().offer


def test_without_any_provider_the_next_step_is_said(tmp_path: Path, desk: Desk) -> None:
    renter = Renter(desk.fleet, [], desk._agree, desk._greet, lambda: None)
    with pytest.raises(CholineError, match="No provider is configured"):
        asyncio.run(renter.rent(Rent(Wish(), Limits(1)), "s", 1, lambda stage, text: None))


def test_a_machine_that_becomes_ready_while_it_is_listed_is_kept(desk: Desk) -> None:
    """The keeper's round begins while a machine boots, and its provider answers when it is in use already."""
    row = desk.rent()
    desk.fleet.note(row, InstanceState.BOOTING)
    desk.provider.before = lambda call: desk.fleet.note(row, InstanceState.READY) if call == "list" else None
    desk.reconcile()
    assert len(desk.provider.alive) == 1


def test_two_are_asked_for_once_and_share_the_budget(desk: Desk) -> None:
    rows = desk.rent_two()
    assert desk.asked == ["Rent 2 machines, each 4x RTX 3090 on memory for 0.40 USD/h, at most 2.00 USD in all? [y/N] "]
    assert [row.session for row in rows] == ["s1", "s2"]
    assert sum(row.budget for row in rows) == pytest.approx(2.0)
    first, second = desk.provider.alive.values()
    assert first.deadline == pytest.approx(second.deadline), "what costs more has more of the budget"
    assert ["offer-0" in row.offer for row in rows] == [True, False]
    assert {row.state for row in desk.fleet.list_open()} == {InstanceState.READY}
    assert "machine 2 of 2: booting" in desk.told


def test_one_of_two_may_take_another_offer(desk: Desk) -> None:
    desk.provider.answers = [REFUSED]
    names = {json.loads(row.offer)["name"] for row in desk.rent_two()}
    assert names in ({"offer-0", "offer-2"}, {"offer-1", "offer-2"})


def test_where_one_of_two_does_not_come_the_other_is_ended(desk: Desk) -> None:
    desk.provider.states["m2"] = InstanceState.DEAD
    desk.provider.offers = desk.provider.offers[:2]
    with pytest.raises(NoMachine, match="No machine came to run"):
        desk.rent_two()
    assert desk.provider.created == 2
    assert not desk.provider.alive
    for _ in range(2):  # it may have been on its way still, and what was ended then is gone when two listings lack it
        desk.reconcile()
    assert not desk.fleet.list_open()


def test_an_error_does_not_tell_of_a_machine_that_has_been_ended_meanwhile(desk: Desk) -> None:
    desk.provider.states["m2"] = InstanceState.BOOTING
    desk.provider.offers = desk.provider.offers[:2]
    pausing = desk._pause

    async def pause(seconds: float) -> None:
        """No time passes until the first is ready."""
        is_ready = any(row.state is InstanceState.READY for row in desk.fleet.list_open())
        await (pausing(seconds) if is_ready else asyncio.sleep(0))

    desk._pause = pause  # type: ignore[method-assign]
    with pytest.raises(NoMachine, match="did not run within") as caught:
        desk.rent_two()
    assert not caught.value.still_billing


def test_one_that_has_ended_while_the_other_was_waited_for_is_no_trouble(desk: Desk) -> None:
    """The second never comes, and until that is known the first has come to its deadline."""
    desk.provider.states["m2"] = InstanceState.BOOTING
    desk.provider.offers = desk.provider.offers[:2]
    pausing = desk._pause

    async def pause(seconds: float) -> None:
        await pausing(seconds)
        if desk.now > 1_000_000 + 60:
            await reconcile(desk.fleet, desk.provider)

    desk._pause = pause  # type: ignore[method-assign]
    with pytest.raises(NoMachine, match="did not run within"):
        desk.rent_two(Rent(Wish("RTX 3090", 4), Limits(2.0, deadline=60.0)))
    assert not desk.provider.alive


def test_fewer_offers_than_machines_are_none(desk: Desk) -> None:
    desk.provider.offers = desk.provider.offers[:1]
    with pytest.raises(NoMachine, match="no 2 offers of machines"):
        desk.rent_two()
    assert not desk.asked


def test_whoever_cancels_two_leaves_neither(desk: Desk) -> None:
    renting: list[asyncio.Task[list[InstanceRow]]] = []

    def cancel_at(call: str) -> None:
        if call == "describe" and desk.provider.created == 2:
            renting[0].cancel()

    async def story() -> None:
        renter = Renter(desk.fleet, [desk.provider], desk._agree, desk._greet, lambda: None, desk._pause)
        rent = Rent(Wish("RTX 3090", 4), Limits(2.0))
        renting.append(asyncio.create_task(renter.rent(rent, ["s1", "s2"], 1, lambda stage, text: None)))
        with pytest.raises(asyncio.CancelledError):
            await renting[0]

    desk.provider.before = cancel_at
    asyncio.run(story())
    assert desk.provider.created == 2
    assert not desk.provider.alive
    for _ in range(2):
        desk.reconcile()
    assert not desk.fleet.list_open()


def test_what_was_refused_never_was(desk: Desk) -> None:
    desk.provider.answers = [REFUSED]
    row = desk.rent()
    [other] = [one for one in desk.fleet.ledger.list_instances() if one.id != row.id]
    assert other.state is InstanceState.GONE
    desk.now += 3600
    assert desk.fleet.find_cost(other).total == pytest.approx(0.0, abs=1e-6)


def test_two_in_one_network_are_taken_where_they_cost_least_together(desk: Desk) -> None:
    places = ("attic", "cellar", "cellar")
    desk.provider.offers = [
        dataclasses.replace(offer, network=place) for offer, place in zip(desk.provider.offers, places, strict=True)
    ]
    rows = desk.rent_two(Rent(Wish("RTX 3090", 4, network=ANY_NETWORK), Limits(2.0)))
    assert [json.loads(row.offer)["network"] for row in rows] == ["cellar", "cellar"]
