"""All instances of an account at vast.ai, and what each was charged: all pages, with a bound, or a failure.

Used by `vast.provider`. Promise: a listing that cannot be read to its end is never a shorter listing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from choline_jupyter.providers.api import expect
from choline_jupyter.providers.failure import ProviderFailure, Unreadable
from choline_jupyter.providers.vast.client import Client

_PAGES = 400  # of 25 instances: more than an account can have
_DAY = 86400


async def list_rows(client: Client) -> list[dict[str, Any]]:
    """All instances of the account; raises ProviderFailure."""
    return [expect(dict, row, "instance") for row in await _follow(client.list_page, "instances")]


async def find_billed(client: Client, rows: list[dict[str, Any]]) -> dict[Any, float]:
    """What each of the instances was charged, in USD, by its number; nothing where the bill cannot be read: the listing
    matters more.
    """
    now = int(time.time())
    starts = [int(row["start_date"]) for row in rows if isinstance(row.get("start_date"), (int, float))]
    sums: dict[Any, float] = defaultdict(float)
    try:
        since = min(starts, default=now) - _DAY
        charges = await _follow(lambda token: client.show_charges(since, now + _DAY, token), "results")
        for charge in charges:
            kind, _, number = str(charge["source"]).partition("-")
            if kind == "instance" and number.isdigit():
                sums[int(number)] += float(charge["amount"])
    except (ProviderFailure, KeyError, TypeError, ValueError):
        return {}
    return sums


async def _follow(ask: Callable[[str], Awaitable[Any]], name: str) -> list[Any]:
    """What all pages have under `name`."""
    rows: list[Any] = []
    token, seen = "", set[str]()
    for _ in range(_PAGES):
        page = expect(dict, await ask(token), f"list of {name}")
        rows += expect(list, page.get(name), f"list of {name}")
        token = expect(str, page.get("next_token") or "", "next page")
        if not token:
            return rows
        if token in seen:
            break
        seen.add(token)
    raise Unreadable(f"vast's list of {name} does not end.", "Look at its web page for what is running.")
