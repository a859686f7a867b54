"""The market: what all providers offer for a wish, ranked by the expected total of this run, with the arithmetic.

Called by the verb `offers` and before a machine is rented. All providers are asked at once, each for a limited time: one
that is down is a footnote. Nothing is ranked by what it costs per hour alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from choline_jupyter.ledger.money import Failure
from choline_jupyter.model.offer import GIB, Offer, Wish
from choline_jupyter.providers.config import ConfigError
from choline_jupyter.providers.failure import ProviderFailure
from choline_jupyter.providers.fit import fits
from choline_jupyter.providers.provider import Provider
from choline_jupyter.session.rent.meter import HOUR, price_transfer

DEADLINE = 20.0  # seconds for each provider
FAILED = 24 * HOUR  # how long a host that failed is ranked down


@dataclass(frozen=True)
class Plan:
    """What a run is expected to take: hours of work, bytes to the machine and from it, bytes of disk."""

    hours: float = 1.0
    up: int = 0
    down: int = 0
    disk: int = 20 * GIB


class Ranked(NamedTuple):
    """An offer with what the run would cost there: `parts` are (what, USD) and add up to `total`."""

    offer: Offer
    total: float
    parts: tuple[tuple[str, float], ...]
    failures: int = 0


class Found(NamedTuple):
    """Ranked offers, and one line for each provider that could not be asked."""

    offers: list[Ranked]
    notes: list[str]


async def survey(
    providers: Sequence[Provider], wish: Wish, plan: Plan, failures: Iterable[Failure] = (), deadline: float = DEADLINE
) -> Found:
    """Ask all of them now; takes as long as the slowest, at most `deadline` seconds."""
    notes: list[str] = []
    answers = await asyncio.gather(*(_ask(provider, wish, notes, deadline) for provider in providers))
    offers = [offer for answer in answers for offer in answer[0]]
    funds = {provider.name: answer[1] for provider, answer in zip(providers, answers, strict=True)}
    return Found(rank(offers, wish, plan, failures, funds), notes)


def rank(
    offers: Iterable[Offer], wish: Wish, plan: Plan, failures: Iterable[Failure] = (),
    funds: dict[str, float | None] | None = None,
) -> list[Ranked]:  # fmt: skip
    """The offers that fit, cheapest run first; hosts that have failed come behind all that have not."""
    bad = [(failure.provider, failure.host) for failure in failures]
    ranked = [
        estimate(offer, plan, (funds or {}).get(offer.provider), bad.count((offer.provider, offer.host)))
        for offer in offers
        if fits(offer, wish)
    ]
    return sorted(ranked, key=order)


def order(one: Ranked) -> tuple[float | str, ...]:
    """Where credit pays for the whole run, what it takes of the credit decides."""
    gross = sum(amount for what, amount in one.parts if what != "credit")
    return (one.failures, round(one.total, 6), gross, -(one.offer.reliability or 0), one.offer.name)


def estimate(offer: Offer, plan: Plan, credit: float | None = None, failures: int = 0) -> Ranked:
    """What the run would cost on this offer; credit of the account is taken off last."""
    hours = max(plan.hours + offer.wait / HOUR, offer.price.minimum / HOUR)
    parts = [
        ("machine", plan.hours * offer.price.hour),
        ("boot and queue", (hours - plan.hours) * offer.price.hour),
        ("disk", hours * (offer.price.find_hourly(plan.disk) - offer.price.hour)),
        ("transfer", price_transfer(offer.price, plan.up, plan.down)),
    ]
    total = sum(amount for _, amount in parts)
    if credit:
        parts.append(("credit", -min(credit, total)))
        total -= min(credit, total)
    return Ranked(offer, total, tuple((what, amount) for what, amount in parts if amount), failures)


async def _ask(
    provider: Provider, wish: Wish, notes: list[str], deadline: float
) -> tuple[Sequence[Offer], float | None]:
    try:
        return await asyncio.wait_for(_ask_both(provider, wish), deadline)
    except asyncio.TimeoutError:  # before OSError, which it is one of since Python 3.11
        notes.append(f"{provider.name} has not answered within {deadline:.0f} seconds.")
    except (ProviderFailure, ConfigError, OSError) as error:
        notes.append(f"{provider.name}: {error}")
    return (), None


async def _ask_both(provider: Provider, wish: Wish) -> tuple[list[Offer], float | None]:
    offers, credit = await asyncio.gather(provider.list_offers(wish), provider.find_credit())
    return offers, credit
