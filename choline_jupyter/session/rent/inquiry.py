"""Offers for Python code: `from choline_jupyter import offers`, what `%choline offers` shows as a table.

Called by the user, in a notebook or a program of their own.
"""

from __future__ import annotations

import shlex
import sys

from choline_jupyter.errors import RequestError
from choline_jupyter.session.bridge import get_bridge
from choline_jupyter.session.options import VerbRequest, parse_line
from choline_jupyter.session.rent.market import Ranked
from choline_jupyter.session.rent.suppliers import explain_missing
from choline_jupyter.session.rent.verbs import ask_market
from choline_jupyter.session.rent.wish import read_wish


def offers(
    gpu: str = "", *, memory: str = "", provider: str = "", region: str = "", spot: bool = False,
    max_price: float | None = None,
) -> list[Ranked]:  # fmt: skip
    """What could be rented now, cheapest run first, each with its `offer`, `total` in USD and the `parts` that add up to it.

    The words are those of `%choline offers`: `gpu="4xa100"`, `memory="40GB"`. A provider that cannot be asked is a line on
    stderr. Raises RequestError, also when no provider is ready.
    """
    words = {"gpu": gpu, "memory": memory, "region": region, "max-price": "" if max_price is None else f"{max_price:g}"}
    given = [f"--{name}={shlex.quote(value)}" for name, value in words.items() if value]
    request = parse_line(" ".join(["offers", *given, *(["--spot"] if spot else [])]))
    assert isinstance(request, VerbRequest)
    bridge = get_bridge()
    found = bridge.call(ask_market(bridge.engine.tenancy.fleet, read_wish(request.options), provider))
    if found is None:
        raise RequestError("No provider that rents machines is ready.", " ".join(explain_missing()))
    for note in found.notes:
        sys.stderr.write(f"choline: {note}\n")
    return found.offers
