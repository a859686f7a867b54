"""The REST routes about money, below `choline/api/`: what is spent, and what could be rented. Listed in `MONEY_ROUTES`.

Called by the Jupyter server for the panel; `server.routes` has them in its list. Promises: neither changes anything; the
ledger is read in a thread of its own, and providers are asked in the engine's loop, so the server waits for neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tornado.web
from tornado.web import HTTPError

from choline_jupyter.errors import CholineError
from choline_jupyter.server.handlers import RecordHandler
from choline_jupyter.server.money_state import describe_money
from choline_jupyter.server.offer_state import FIELDS, describe_offers, read_query

if TYPE_CHECKING:
    from jupyter_server.base.handlers import APIHandler

    from choline_jupyter.session.bridge import Bridge


class MoneyHandler(RecordHandler):
    """`GET money`: machines that cost money, the month, the last days and the user's limits."""

    @tornado.web.authenticated
    async def get(self) -> None:
        self.answer(await self.count(describe_money))


class OffersHandler(RecordHandler):
    """`GET offers?gpu=4xa100&max-price=2&spot=1`: what could be rented now, and how each provider has answered."""

    @tornado.web.authenticated
    async def get(self) -> None:
        try:
            wish, provider = read_query({name: self.get_query_argument(name, "").strip() for name in FIELDS})
        except CholineError as error:
            raise HTTPError(400, str(error)) from None

        async def ask(bridge: Bridge) -> dict[str, Any]:
            return await describe_offers(bridge.engine.tenancy.fleet, wish, provider)

        self.answer(await self.act(ask))


MONEY_ROUTES: list[tuple[str, type[APIHandler]]] = [("money", MoneyHandler), ("offers", OffersHandler)]
