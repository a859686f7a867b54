"""Offers as the panel shows them: asked of every provider at once, ranked by what the run costs, with how to ask for one.

Called by the routes, in the engine's loop. Promise: every provider has a row: how many offers it has, or why it has none; one
that is down costs its deadline and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from choline_jupyter.errors import RequestError
from choline_jupyter.model.offer import GIB, Wish
from choline_jupyter.providers.config import ConfigError
from choline_jupyter.providers.provider import Provider
from choline_jupyter.session.options import VerbRequest, parse_command
from choline_jupyter.session.rent.fleet import Fleet
from choline_jupyter.session.rent.market import DEADLINE, FAILED, Found, Plan, Ranked, order, survey
from choline_jupyter.session.rent.suppliers import load_rented
from choline_jupyter.session.rent.wish import read_wish

_MOST = 200
_FLAGS = ("spot",)
_COUNTS = frozenset(map(str, range(1, 65)))
FIELDS = ("gpu", "count", "memory", "max-price", "region", "provider", *_FLAGS)


def read_query(query: Mapping[str, str]) -> tuple[Wish, str]:
    """The wish and the provider (empty: all) that a query's fields mean, as the verb `offers` reads them. Raises RequestError."""
    given = {name: value for name, value in query.items() if value and name in FIELDS}
    count = given.pop("count", "")
    words = [f"--{name}" if name in _FLAGS else f"--{name}={value}" for name, value in given.items()]
    request = parse_command(["offers", *words])
    if not isinstance(request, VerbRequest) or count not in {"", *_COUNTS}:
        raise RequestError("That is no wish for a machine.", "`choline offers --help` says what can be asked for.")
    wish = read_wish(request.options)
    return replace(wish, count=int(count)) if count else wish, request.options.text("provider") or ""


async def describe_offers(fleet: Fleet, wish: Wish, only: str = "", deadline: float = DEADLINE) -> dict[str, Any]:
    """The offers, cheapest run first, and each provider's row; takes at most `deadline` seconds."""
    known = [one for one in await fleet.run(_load_all) if only in ("", one.name)]
    ready = [one for one in known if not await fleet.run(one.check_ready)]
    failures = await fleet.run(_list_failures, fleet)
    plan = Plan()
    found = await asyncio.gather(*(survey([one], wish, plan, failures, deadline) for one in ready))
    ranked = sorted((offer for one in found for offer in one.offers), key=order)
    answers = {provider.name: answer for provider, answer in zip(ready, found, strict=True)}
    return {
        "offers": [_describe_offer(one) for one in ranked[:_MOST]],
        "count": len(ranked),
        "providers": [await fleet.run(_describe_provider, one, answers.get(one.name)) for one in known],
        "plan": {"hours": plan.hours, "disk": plan.disk / GIB},
    }


def _describe_offer(one: Ranked) -> dict[str, Any]:
    offer = one.offer
    return {
        "provider": offer.provider,
        "name": offer.name,
        "gpus": offer.gpus,
        "memory": offer.gpu_memory / GIB,
        "region": offer.region,
        "spot": offer.is_spot,
        "hour": offer.price.hour,
        "live": offer.is_live,
        "total": one.total,
        "parts": one.parts,
        "failures": one.failures,
        "options": _name_options(one),
    }


def _name_options(one: Ranked) -> list[list[str]]:
    """What a `%%choline` line says to get a machine like this: names of options and their values, empty for flags."""
    offer = one.offer
    name = offer.gpu.lower().replace(" ", "-")
    gpu = [["gpu", f"{offer.count}x{name}" if offer.count > 1 else name]] if name else []
    return [*gpu, ["provider", offer.provider], *([["spot", ""]] if offer.is_spot else [])]


def _describe_provider(provider: Provider, found: Found | None) -> dict[str, Any]:
    said = provider.check_ready() if found is None else "".join(found.notes).removeprefix(f"{provider.name}: ")
    state = "unready" if found is None else "down" if found.notes else "ready"
    return {
        "name": provider.name,
        "state": state,
        "said": said,
        "count": len(found.offers) if found else 0,
        "needs_laptop": provider.needs_laptop,
    }


def _load_all() -> list[Provider]:
    try:
        return load_rented(is_any=True)
    except ConfigError as error:
        raise RequestError(str(error), "Mend that file.") from None


def _list_failures(fleet: Fleet) -> list[Any]:
    return fleet.ledger.money.list_failures(fleet.clock() - FAILED) if fleet.is_used else []
