"""Offers: the machines that could be had now, with what they have and cost.

Called by `session.verbs`. All are asked at once, each for a limited time: one that is down is a footnote.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from choline_jupyter.errors import CholineError
from choline_jupyter.model.offer import GIB, Offer
from choline_jupyter.providers.config import ConfigError
from choline_jupyter.providers.provider import ANY, FREE
from choline_jupyter.providers.registry import list_names, load_provider

if TYPE_CHECKING:
    from choline_jupyter.session.engine import Engine
    from choline_jupyter.session.machine import Way

_DEADLINE = 20.0
_HEADS = ("PROVIDER", "MACHINE", "GPUS", "CPUS", "MEMORY", "USD/H")


class Found(NamedTuple):
    """Offers, and one line for each provider or machine that could not be asked."""

    offers: list[Offer]
    notes: list[str]


async def collect_offers(engine: Engine, way: Way | None = None) -> Found:
    """Ask every provider and every machine that does not have to be rented first; with a `way`, that one alone."""
    found = Found([], [])
    if way:
        offers = [Offer(way.provider, way.machine)]
    else:
        offers = [offer for name in list_names() if _is_own(name) for offer in await _list(name, found.notes)]
    await asyncio.gather(*(_probe(engine, offer, way, found) for offer in offers))
    found.offers.sort(key=lambda offer: (offer.price.hour, offer.provider, offer.name))
    return found


def render_offers(found: Found) -> str:
    """As a table, with the notes below."""
    rows = [_HEADS, *(_describe(offer) for offer in found.offers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*(lines if found.offers else ["No machine answers."]), *(f"! {note}" for note in found.notes)])


def _is_own(name: str) -> bool:
    return FREE in load_provider(name).capabilities


async def _list(name: str, notes: list[str]) -> Sequence[Offer]:
    try:
        return await asyncio.wait_for(load_provider(name).list_offers(), _DEADLINE)
    except asyncio.TimeoutError:
        notes.append(f"{name} has not answered within {_DEADLINE:.0f} seconds.")
    except (ConfigError, OSError) as error:
        notes.append(f"{name}: {error}")
    return ()


async def _probe(engine: Engine, offer: Offer, way: Way | None, found: Found) -> None:
    """Replace what is configured by what is there."""
    try:
        access = way.access if way else ANY
        told = await asyncio.wait_for(engine.probe(offer.provider, offer.name, access), _DEADLINE)
    except CholineError as error:
        found.notes.append(f"{offer.name}: {error}")
    except asyncio.TimeoutError:
        found.notes.append(f"{offer.name} has not answered within {_DEADLINE:.0f} seconds.")
    else:
        gpu = told.count_gpus() or offer.gpu
        found.offers.append(replace(offer, gpu=gpu, cpus=told.processors, memory=told.memory))
        return
    if offer.gpus:
        found.offers.append(offer)


def _describe(offer: Offer) -> tuple[str, ...]:
    memory = f"{offer.memory / GIB:.0f} GiB" if offer.memory else "?"
    price = "free" if offer.price.is_free else f"{offer.price.hour:.2f}"
    return (offer.provider, offer.name, offer.gpus or "-", str(offer.cpus or "?"), memory, price)
