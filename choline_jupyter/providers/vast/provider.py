"""The provider itself: what choline asks of a marketplace, asked of vast.ai.

Found through the registry. An offer's price is looked up again before it is taken; a spot offer is never taken without
sending a bid (it would be rented on demand); a listing is whole or a failure. A machine ends itself with the key that
vast.ai puts into it, which can do nothing else.
"""

from __future__ import annotations

import importlib.util
import math
import os
from pathlib import Path
from typing import Any, ClassVar

from choline_jupyter.model.offer import ANYTHING, GIB, Offer, Wish
from choline_jupyter.providers import startup
from choline_jupyter.providers.api import expect
from choline_jupyter.providers.credentials import Secret, find_key
from choline_jupyter.providers.endpoint import find_endpoint
from choline_jupyter.providers.failure import Absent, KeyRejected, Refused, Unreadable
from choline_jupyter.providers.provider import (
    ANY,
    BILLED,
    LABEL,
    PRICE_LIVE,
    SELF_DESTROY,
    SPOT,
    STARTUP,
    STOP,
    Access,
    Contact,
    Order,
    Provider,
    Sighting,
)
from choline_jupyter.providers.rented import make_way
from choline_jupyter.providers.vast.client import Client
from choline_jupyter.providers.vast.instances import read_sighting
from choline_jupyter.providers.vast.listing import find_billed, list_rows
from choline_jupyter.providers.vast.offers import make_query, read_offer
from choline_jupyter.transport.channel import Transport

_URL = "https://console.vast.ai"
_IMAGE = "vastai/pytorch:@vastai-automatic-tag"  # the tag that fits the machine's driver is found by vast.ai
_MOST = 200  # offers
_DEARER = 1.02  # an offer that costs more than this times what was shown is not taken

# Run by the watchdog on the machine until it works. The key is the instance's own; VAST_URL is there with a fake cloud only.
_END = """u="${VAST_URL:-https://console.vast.ai}/api/v0/instances/$CONTAINER_ID/"
curl -fsS -m 30 -X DELETE -H "Authorization: Bearer $CONTAINER_API_KEY" -H "Content-Type: application/json" -d "{}" "$u" ||
U="$u" python3 -c "import os, urllib.request as r
h = {'Authorization': 'Bearer ' + os.environ['CONTAINER_API_KEY'], 'Content-Type': 'application/json'}
r.urlopen(r.Request(os.environ['U'], b'{}', h, method='DELETE'), timeout=30)\""""


class VastProvider(Provider):
    """An account at vast.ai. Its key is looked for at each call: a revoked one can be replaced at any time."""

    name: ClassVar[str] = "vast"
    capabilities: ClassVar[frozenset[str]] = frozenset({SPOT, STOP, LABEL, STARTUP, SELF_DESTROY, PRICE_LIVE, BILLED})
    boot: ClassVar[float] = 900.0
    keys_at: ClassVar[str] = "https://console.vast.ai/manage-keys/"

    def __init__(self, options: tuple[str, ...] = ()) -> None:
        self._options = options
        self._key: Secret | None = None

    def take_key(self, key: str) -> None:
        self._key = Secret(key)

    async def list_offers(self, wish: Wish = ANYTHING) -> list[Offer]:
        client = self._find_client()
        query = make_query(wish, await client.list_gpus() if wish.gpu else ())
        disk = math.ceil(wish.disk / GIB)
        rows = expect(list, await client.search(query, _find_kind(wish.is_spot), disk, _MOST), "list of offers")
        offers = _read_offers(rows, wish.is_spot)
        return sorted(offers, key=lambda offer: offer.price.hour)

    async def create(self, order: Order) -> str:
        _check_order(order)
        client = self._find_client()
        await _check_offer(client, order)
        fields: dict[str, Any] = {"image": order.image or _IMAGE, "disk": math.ceil(order.disk / GIB)}
        fields.update({"bid_price": order.bid} if order.offer.is_spot else {})
        answer = await client.create(
            int(order.offer.name), label=order.label, onstart_cmd=order.startup, ssh=True, direct=True,
            cancel_unavail=True, env={}, **fields,
        )  # fmt: skip
        told = expect(dict, answer, "new instance")
        if told.get("success") is False:
            raise Refused(f"vast has refused ({_find_words(told)}).")
        if type(told.get("new_contract")) is not int:
            raise Unreadable("vast's answer has no number of the new instance.")
        return str(told["new_contract"])

    async def list_mine(self) -> list[Sighting]:
        client = self._find_client()
        rows = await list_rows(client)
        billed = await find_billed(client, rows) if rows else {}
        return [read_sighting(row, billed.get(row.get("id"))) for row in rows]

    async def describe(self, handle: str) -> Sighting | None:
        told = expect(dict, await self._find_client().show(int(handle)), "instance")
        if "instances" not in told:
            raise Unreadable("vast's answer has no instance in it.", "A newer choline may read it.")
        return None if told["instances"] is None else read_sighting(told["instances"])

    async def destroy(self, handle: str) -> None:
        try:
            _check_done(await self._find_client().destroy(int(handle)))
        except Absent:
            return

    async def stop(self, handle: str) -> None:
        _check_done(await self._find_client().stop(int(handle)))

    def connect(self, contact: Contact, access: Access = ANY) -> Transport:
        return make_way(contact, access, self._options)

    def find_end(self) -> str:
        return _END

    def check_ready(self) -> str:
        if importlib.util.find_spec("vastai") is None:
            return "The package vastai is missing: pip install 'choline-jupyter[vast]'."
        try:
            self._find_client()
        except KeyRejected:
            return "There is no key: set VAST_API_KEY, or run `choline login vast`."
        return ""

    async def find_credit(self) -> float | None:
        credit = expect(dict, await self._find_client().show_user(), "account").get("credit")
        if not isinstance(credit, (int, float)):
            raise Unreadable("vast's answer has no credit in it.", "A newer choline may read it.")
        return float(credit)

    def _find_client(self) -> Client:
        if importlib.util.find_spec("vastai") is None:
            raise Refused("The package vastai is missing.", "Run `pip install 'choline-jupyter[vast]'`.")
        endpoint = find_endpoint("vast", _URL, "VAST_URL")
        key = self._key or endpoint.key
        if key is None:
            key = find_key("vast", ("VAST_API_KEY",), _list_key_files())
        if key is None:
            raise KeyRejected("There is no key for vast.", "Set VAST_API_KEY or run `choline login vast`.")
        return Client(key, endpoint.url)


def _list_key_files() -> list[str]:
    """Where the package keeps its key."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return [str(base / "vastai" / "vast_api_key"), "~/.vast_api_key"]


def _find_kind(is_spot: bool) -> str:
    return "bid" if is_spot else "on-demand"


def _read_offers(rows: list[Any], is_spot: bool) -> list[Offer]:
    """One that cannot be read is left out; when that is all of them, something has changed."""
    offers = []
    for row in rows:
        try:
            offers.append(read_offer(row, is_spot))
        except (KeyError, TypeError, ValueError):
            continue
    if rows and not offers:
        raise Unreadable("No offer of vast can be read.", "A newer choline may read them.")
    return offers


def _check_order(order: Order) -> None:
    """What would go wrong in a way that costs money."""
    if len(order.startup) > startup.LONGEST:
        raise Refused(f"The startup script has {len(order.startup)} characters; vast takes {startup.LONGEST}.")
    if order.offer.is_spot and order.bid <= 0:
        raise Refused("A spot offer needs a bid.", "Without one vast rents it out on demand.")


async def _check_offer(client: Client, order: Order) -> None:
    """The offer is still there and costs no more than was shown."""
    offer, query = order.offer, {"id": {"eq": int(order.offer.name)}, "rentable": {"eq": True}, "rented": {"eq": False}}
    rows = await client.search(query, _find_kind(offer.is_spot), math.ceil(order.disk / GIB), 1, bare=True)
    now = _read_offers(expect(list, rows, "list of offers"), offer.is_spot)
    if not now:
        raise Refused("The offer is taken.", "Take another one.")
    most = order.bid if offer.is_spot else offer.price.hour * _DEARER
    if now[0].price.hour > most or now[0].price.disk > offer.price.disk * _DEARER:
        raise Refused(f"The price has risen to {now[0].price.hour:.3f} USD/h.", "Look at the offers again.")


def _check_done(answer: Any) -> None:
    if expect(dict, answer, "answer").get("success") is not True:
        raise Unreadable(f"vast has not said that it was done ({_find_words(answer)}).")


def _find_words(told: dict[str, Any]) -> str:
    """What the answer says, short and printable."""
    words = " ".join(str(told[name]) for name in ("error", "msg") if told.get(name))
    return "".join(letter if letter.isprintable() else " " for letter in words[:200]).strip() or "without a reason"
