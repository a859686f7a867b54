"""The renter: from a wish to a machine that answers, or to nothing that costs money.

Called by `session.engine` when a session needs a rented machine. Promises: intent before create, a fresh label for each
try, never the same create twice (reliability.md section 2.3: 0 leaks in 675 runs); every stage has a deadline, after
which the next offer is tried; whoever cancels leaves nothing running that is not being ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from choline_jupyter.errors import CholineError, RequestError
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.names import make_identifier
from choline_jupyter.model.offer import GIB, Wish
from choline_jupyter.providers.failure import KeyRejected, ProviderFailure, Refused, Throttled
from choline_jupyter.providers.keys import KeyPair, find_own_key, make_key
from choline_jupyter.providers.provider import STARTUP, Order, Provider, Sighting
from choline_jupyter.providers.registry import load_provider
from choline_jupyter.providers.startup import make_startup, make_watchdog
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.limits import PATIENCE, Limits
from choline_jupyter.session.rent.market import FAILED, Found, Plan, Ranked, survey
from choline_jupyter.session.rent.meter import find_seconds, render_money
from choline_jupyter.session.rent.reconciler import ABSENCES, confirm_gone, destroy, reconcile
from choline_jupyter.session.rent.stock import TRIES, Stock, choose

_FIRST_LOOK, _LAST_LOOK = 0.5, 5.0  # seconds between two looks at a machine that boots
_UNSEEN = 120.0  # seconds in which a provider may not know yet what it has just created
_FIRST_CONTACT = 900.0  # seconds beyond its boot that it waits for us before it ends itself
_TOLERANCE = 1.02  # of the price at which it was offered
_ANSWER = 10.0  # seconds for the answer to a create that nobody wants any more: only that tells what to end
_PATIENCE = 5  # tries of a call that was throttled

Tell = Callable[[str, str], None]  # stage, what is being done
Pause = Callable[[float], Awaitable[None]]


class NoMachine(CholineError):
    """None of the offers came to run."""


@dataclass(frozen=True)
class Rent:
    """A machine wanted for a session: what, from whom (empty: from anybody), within which limits, for what run."""

    wish: Wish
    limits: Limits
    provider: str = ""
    plan: Plan = field(default_factory=Plan)
    image: str = ""
    on_loss: str = ""  # what becomes of its jobs when the machine is lost (`session.rent.losses`); they go on elsewhere
    wait: float = PATIENCE  # seconds that it is waited for, if it was stopped and that is the policy


class _Next(Exception):
    """An offer has come to nothing: its machine, if there is one, is ended and the next one is tried."""


class _Try(NamedTuple):
    """One offer being tried."""

    row: InstanceRow
    order: Order
    provider: Provider


class Renter:
    """Rents for one engine, in its loop. `agree(question)` asks the user, `greet(machine)` returns when the machine has
    let us in, `watch` has somebody watch over what is about to be created, `pause` waits.
    """

    def __init__(
        self,
        fleet: Fleet,
        providers: Sequence[Provider],
        agree: Callable[[str], Awaitable[bool]],
        greet: Callable[[InstanceRow], Awaitable[None]],
        watch: Callable[[], None],
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._fleet, self._providers = fleet, providers
        self._agree, self._greet, self._watch, self._pause = agree, greet, watch, pause
        self._answers: set[asyncio.Future[None]] = set()  # to creates that are on their way

    async def rent(self, rent: Rent, sessions: Sequence[str], epoch: int, tell: Tell) -> list[InstanceRow]:
        """A machine for each session that runs and has an address, or none at all; the budget is for all of them, divided so
        that it lasts equally long. Raises RequestError, NoMachine, what the user's interrupt raises.
        """
        tell("offers", "looking for offers")
        found = await self.find_offers(rent)
        count = len(sessions)
        chosen = choose(found.offers, count, has_network=bool(rent.wish.network))
        if not chosen:
            raise NoMachine(_tell_lack(count), _advise(rent, found.notes), self._fleet.describe_billing())
        await self._get_consent(rent, chosen[0], count)
        stock = Stock(chosen)
        firsts = [stock.take([]) or chosen[0] for _ in sessions]
        rents = _divide(rent, [one.offer.price.find_hourly(_find_disk(rent)) for one in firsts])
        tasks = [
            asyncio.ensure_future(
                self._rent_one(rents[place], firsts[place], stock, session, epoch, _number(tell, place, count))
            )
            for place, session in enumerate(sessions)
        ]
        try:
            return list(await asyncio.gather(*tasks))
        except BaseException as error:
            await asyncio.shield(asyncio.ensure_future(self._give_back(tasks)))
            if isinstance(error, NoMachine):
                error.still_billing = self._fleet.describe_billing()
            raise

    async def _rent_one(
        self, rent: Rent, first: Ranked, stock: Stock, session: str, epoch: int, tell: Tell
    ) -> InstanceRow:
        reasons: list[str] = []
        tried, ranked = [first], first  # type: list[Ranked], Ranked | None
        while ranked:
            tell("renting", f"renting {ranked.offer.gpus or ranked.offer.name} from {ranked.offer.provider}")
            try:
                return await self._try(rent, ranked, session, epoch, tell)
            except _Next as failure:
                reasons.append(f"{ranked.offer.provider} {ranked.offer.name}: {failure}")
                tell("offers", f"offer {len(reasons)} came to nothing ({failure}); trying the next")
            ranked = stock.take(tried) if len(tried) < TRIES else None
        raise NoMachine(f"No machine came to run ({'; '.join(reasons)}).", "Run it again, or ask for another GPU.")

    async def _give_back(self, tasks: Sequence[asyncio.Future[InstanceRow]]) -> None:
        """One has not come, so nobody wants the others."""
        if self._answers:
            await asyncio.wait(list(self._answers), timeout=_ANSWER)
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        alive = {row.id for row in await self._fleet.run(self._fleet.list_open)}
        for outcome in outcomes:
            if isinstance(outcome, InstanceRow) and outcome.id in alive:
                provider = next(one for one in self._providers if one.name == outcome.provider)
                await destroy(self._fleet, provider, outcome)
                await confirm_gone(self._fleet, provider, outcome)

    async def find_offers(self, rent: Rent) -> Found:
        """What could be rented now, cheapest run first; raises RequestError where nobody can be asked."""
        asked = [one for one in self._providers if rent.provider in ("", one.name)]
        if not asked:
            raise _explain_silence(rent.provider)
        since = self._fleet.clock() - FAILED
        failures = await self._fleet.run(self._fleet.ledger.money.list_failures, since)
        return await survey(asked, rent.wish, rent.plan, failures)

    async def _get_consent(self, rent: Rent, first: Ranked, count: int) -> None:
        """Within the month's budget, and the user knows what it may cost."""
        from choline_jupyter.providers.config import read_money
        from choline_jupyter.session.rent.limits import check_month, find_month, needs_consent

        settings, limits = read_money(), rent.limits
        spent = await self._fleet.run(self._fleet.find_cost_since, find_month(self._fleet.clock()))
        check_month(limits.budget, spent.total, await self._fleet.run(self._fleet.find_reserved), settings)
        provider = next(one for one in self._providers if one.name == first.offer.provider)
        asks = needs_consent(limits.budget, limits, settings) or (provider.needs_laptop and not limits.is_agreed)
        if asks and not await self._agree(_ask_for(first, limits, provider, count)):
            raise RequestError(
                "Nothing was rented: nobody has agreed to it.",
                "Set `auto_approve` under [money] of the configuration, or add --yes on the command line.",
            )

    async def _try(self, rent: Rent, ranked: Ranked, session: str, epoch: int, tell: Tell) -> InstanceRow:
        """One offer, from intent to address; whatever happens, its machine is used or being ended."""
        provider = next(one for one in self._providers if one.name == ranked.offer.provider)
        await self._reconcile(provider)
        one = await self._intend(rent, ranked, session, epoch, provider)
        lock = self._fleet.hold(one.row.label)
        self._watch()
        try:
            return await self._boot(one, tell)
        except BaseException as error:
            reason = "" if isinstance(error, asyncio.CancelledError) else str(error)  # of the user's own doing
            await asyncio.shield(asyncio.ensure_future(self._give_up(one, reason)))
            if isinstance(error, KeyRejected):
                raise RequestError(str(error), error.hint, self._fleet.describe_billing()) from None
            if isinstance(error, (ProviderFailure, _Next)):
                raise _Next(str(error)) from None
            raise
        finally:
            lock.close()

    async def _reconcile(self, provider: Provider) -> None:
        """Before each create; a listing that cannot be had is no reason to go on."""
        try:
            await reconcile(self._fleet, provider)
        except ProviderFailure as failure:
            raise _Next(f"what there is could not be listed: {failure}") from None

    async def _intend(self, *words: Any) -> _Try:
        """Have the intent noted; where nobody wants it any more when it is, and no provider has heard of it, it never was."""
        intent = asyncio.ensure_future(self._fleet.run(self._make_intent, *words))
        try:
            return await asyncio.shield(intent)
        except asyncio.CancelledError:
            one = await intent
            await self._fleet.run(self._fleet.note, one.row, InstanceState.GONE)
            raise

    def _make_intent(self, rent: Rent, ranked: Ranked, session: str, epoch: int, provider: Provider) -> _Try:
        """Everything about the instance, on the disk before its provider hears of it."""
        self._fleet.set_clock()
        offer, limits, now = ranked.offer, rent.limits, self._fleet.clock()
        host, public = make_key(), find_own_key(self._fleet.keys)
        disk = _find_disk(rent)
        row = InstanceRow(
            make_identifier("i"), provider.name, self._fleet.make_label(), session, offer.to_json(), created_at=now,
            epoch=epoch, host_key=host.public, budget=limits.budget, deadline_at=now + limits.deadline,
            lease=limits.lease, hold=limits.hold, disk=disk,
        )  # fmt: skip
        self._fleet.ledger.record_intent(row)
        seconds = min(limits.deadline, find_seconds(limits.budget, offer.price.find_hourly(disk)))
        startup = _make_startup(provider, host, public, seconds)
        order = Order(
            row.label, offer, disk, seconds, public, host.private, startup, offer.price.hour if offer.is_spot else 0.0,
            rent.image,
        )  # fmt: skip
        return _Try(row, order, provider)

    async def _boot(self, one: _Try, tell: Tell) -> InstanceRow:
        fleet, row = self._fleet, one.row
        await fleet.run(self._begin, one)
        handle = await self._order(one)
        tell("booting", "booting")
        sighting = await self._wait(one, handle)
        await fleet.run(fleet.note_sighting, row, sighting)
        machine = next(found for found in await fleet.run(fleet.list_open) if found.id == row.id)
        tell("booting", "connecting for the first time")
        await self._greet(machine)
        await fleet.run(fleet.note, row, InstanceState.READY)
        await self._note_listed(one)
        return replace(machine, state=InstanceState.READY)

    def _begin(self, one: _Try) -> None:
        """It may cost money from the moment in which it is asked for."""
        price = one.order.offer.price
        disk = price.find_hourly(one.order.disk) - price.hour
        self._fleet.note(one.row, InstanceState.CREATING)
        self._fleet.ledger.money.note_rate(one.row.id, self._fleet.clock(), price.hour, disk)

    async def _order(self, one: _Try) -> str:
        """Its handle, noted; what was refused never was."""
        answer = asyncio.get_running_loop().create_future()
        self._answers.add(answer)
        try:
            handle = await self._create(one)
            await self._fleet.run(self._fleet.note, one.row, InstanceState.BOOTING, handle)
        except Refused:
            await self._fleet.run(self._fleet.note, one.row, InstanceState.GONE)
            raise
        finally:
            self._answers.remove(answer)
            answer.set_result(None)
        return handle

    async def _create(self, one: _Try) -> str:
        """Its handle. An answer that was lost is looked for by the label; a no of which we are sure is the end of it."""
        for delay in (1.0, 2.0, 4.0, 8.0, 0.0):
            try:
                return await one.provider.create(one.order)
            except Throttled as failure:  # it has created nothing, so the label is still unused
                if failure.is_quota or not delay:
                    raise
                await self._pause(max(delay, failure.delay))
            except Refused:
                raise
            except ProviderFailure as failure:
                return await self._look_for(one, failure)
        raise _Next("it wants fewer calls")

    async def _look_for(self, one: _Try, failure: ProviderFailure) -> str:
        with suppress(Refused):  # of the listing, that is: nothing is known of the create
            for sighting in await one.provider.list_mine():
                if sighting.label == one.row.label:
                    return sighting.handle
        raise _Next(str(failure)) from None

    async def _note_listed(self, one: _Try) -> None:
        """Once it was in a listing, listings without it mean something, however young it is."""
        with suppress(ProviderFailure):
            if one.row.label in {sighting.label for sighting in await one.provider.list_mine()}:
                await self._fleet.run(self._fleet.ledger.note_absences, one.row.id, 0)

    async def _wait(self, one: _Try, handle: str) -> Sighting:
        """Until it runs and has an address, at the price that was offered."""
        began = self._fleet.clock()
        delay, absences = _FIRST_LOOK, 0
        sighting: Sighting | None = None
        while self._fleet.clock() < began + one.provider.boot:
            sighting, is_there = await self._look(one.provider, handle, sighting)
            absences = 0 if is_there else absences + 1
            is_young = sighting is None and self._fleet.clock() < began + _UNSEEN
            if absences >= ABSENCES and not is_young:
                raise _Next("it was gone before it ran")
            if sighting and sighting.state is InstanceState.READY:
                return _check_price(sighting, one.order)
            if sighting and sighting.state in (InstanceState.DEAD, InstanceState.PREEMPTED, InstanceState.GONE):
                raise _Next(sighting.reason or f"it is {sighting.state.value}")
            await self._pause(delay)
            delay = min(2 * delay, _LAST_LOOK)
        raise _Next(f"it did not run within {one.provider.boot:.0f} seconds")

    async def _look(self, provider: Provider, handle: str, last: Sighting | None) -> tuple[Sighting | None, bool]:
        """The newest that is known, and whether it may be there: a provider that fails to tell is asked again, until the boot's
        deadline; a key that is no more is not.
        """
        try:
            seen = await provider.describe(handle)
        except KeyRejected:
            raise
        except ProviderFailure:
            return last, True
        return seen or last, seen is not None

    async def _give_up(self, one: _Try, reason: str) -> None:
        """End what may have been made; what cannot be ended now stays open in the ledger for the reconciler. A reason speaks
        against its host.
        """
        row = next((row for row in await self._fleet.run(self._fleet.list_open) if row.id == one.row.id), None)
        if reason:
            host = one.order.offer.host
            await self._fleet.run(self._fleet.ledger.money.note_failure, one.row.provider, host, reason[:200])
        if row:
            await destroy(self._fleet, one.provider, row)


def _explain_silence(wanted: str) -> RequestError:
    """Why there is nobody to ask."""
    if not wanted:
        hint = "`choline doctor` says what is missing; `choline login PROVIDER` takes a key."
        return RequestError("No provider is configured.", hint)
    return RequestError(f"The provider {wanted} is not ready.", load_provider(wanted).check_ready())


def _check_price(sighting: Sighting, order: Order) -> Sighting:
    offered = max(order.offer.price.hour, order.bid)
    if sighting.hour is not None and sighting.hour > offered * _TOLERANCE:
        raise _Next(f"its price is {sighting.hour:.2f} USD/h now, and {offered:.2f} were offered")
    return sighting


def _make_startup(provider: Provider, host: KeyPair, public: str, seconds: float) -> str:
    """What its first process runs, where the provider lets it."""
    if STARTUP not in provider.capabilities:
        return ""
    finish = provider.find_end()
    watchdog = make_watchdog(provider.boot + _FIRST_CONTACT, seconds, finish) if finish else ""
    return make_startup(host.private, public, watchdog, provider.user)


def _find_disk(rent: Rent) -> int:
    return max(rent.plan.disk, GIB)


def _divide(rent: Rent, rates: Sequence[float]) -> list[Rent]:
    """The same rent for each of several machines, with its part of the budget by what it costs per hour."""
    weights = rates if all(rates) else [1.0] * len(rates)
    shares = [rent.limits.budget * weight / sum(weights) for weight in weights]
    return [replace(rent, limits=replace(rent.limits, budget=share)) for share in shares]


def _number(tell: Tell, place: int, count: int) -> Tell:
    """What is told of one of several."""
    return tell if count == 1 else lambda stage, text: tell(stage, f"machine {place + 1} of {count}: {text}")


def _tell_lack(count: int) -> str:
    return "No offer fits." if count == 1 else f"There are no {count} offers of machines that reach each other."


def _ask_for(first: Ranked, limits: Limits, provider: Provider, count: int) -> str:
    offer = first.offer
    machine = f"{offer.gpus or offer.name} on {offer.provider} for {offer.price.hour:.2f} USD/h"
    machine = machine if count == 1 else f"{count} machines, each {machine}"
    warning = " It cannot end itself: this laptop has to be there to end it." if provider.needs_laptop else ""
    return f"Rent {machine}, at most {render_money(limits.budget)} in all?{warning} [y/N] "


def _advise(rent: Rent, notes: Sequence[str]) -> str:
    under = f" under {rent.wish.max_price:g} USD/h" if rent.wish.max_price is not None else ""
    said = f" ({' '.join(notes)})" if notes else ""
    return f"Nobody has {rent.wish.gpu or 'such a machine'}{under} now{said}; `choline offers` shows what there is."
