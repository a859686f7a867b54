"""The calls of the official `vastai` package that we use, each made once, in a thread, with a deadline.

Used by `vast.provider`. Promise: the package tries nothing again (its own client would send a create three times); every
failure is a ProviderFailure that says what it means; what its answers hold is for who called to check. The package's
own listing is not used: it follows pages without a bound and takes an answer of another shape for an empty list; its own
look at one instance fails on one that has not started.
"""

from __future__ import annotations

import asyncio
import importlib
from functools import partial
from typing import TYPE_CHECKING, Any

from choline_jupyter.providers.api import explain, read_delay
from choline_jupyter.providers.failure import ProviderFailure, Refused, Throttled, Unreadable, Unsure

if TYPE_CHECKING:
    from choline_jupyter.providers.credentials import Secret

_PATIENCE = 30.0  # seconds without a byte
_DEADLINE = 60.0  # of a call, however slowly it drips
_QUOTA = "search_quota_exceeded"  # a daily one that ends at midnight UTC


class Client:
    """The account behind `key`; `url` has no slash at its end."""

    def __init__(self, key: Secret, url: str, patience: float = _PATIENCE) -> None:
        self._key, self._url, self._patience = key, url, patience

    async def search(self, query: dict[str, Any], kind: str, disk: int, limit: int, bare: bool = False) -> Any:
        """Offers, cheapest first; `disk` is GB that prices are to include, `bare` turns the default filters off."""
        order = [["dph_total", "asc"]]
        more = {"offer_type": kind, "order": order, "limit": limit, "storage": float(disk), "no_default": bare}
        return await self._call("offers.search_offers", query=query, **more)

    async def list_gpus(self) -> list[str]:
        """The names of GPUs that the package knows; nobody is asked."""
        return await asyncio.get_running_loop().run_in_executor(None, _list_gpus)

    async def create(self, offer: int, **fields: Any) -> Any:
        """Take an offer."""
        return await self._call("instances.create_instance", id=offer, **fields)

    async def list_page(self, token: str) -> Any:
        """One page of the instances, the first with an empty token."""
        params = {"select_filters": {}, "order_by": [{"col": "id", "dir": "asc"}], "limit": 25}
        return await self._call(
            "instances.show_instances_v1", params={**params, **({"after_token": token} if token else {})}
        )

    async def show(self, instance: int) -> Any:
        """The answer for one instance."""
        return await self._run(partial(_show, instance))

    async def destroy(self, instance: int) -> Any:
        return await self._call("instances.destroy_instance", id=instance)

    async def stop(self, instance: int) -> Any:
        return await self._call("instances.stop_instance", id=instance)

    async def show_user(self) -> Any:
        return await self._call("billing.show_user")

    async def show_charges(self, since: int, until: int, token: str) -> Any:
        """One page of what instances were charged between two days."""
        params = {"charges": True, "charge_type": ["instance"], "start_date": since, "end_date": until, "limit": 100}
        return await self._call("billing.show_invoices_v1", params={**params, "next_token": token})

    async def _call(self, name: str, **arguments: Any) -> Any:
        """A function of `vastai.api` by its name."""
        return await self._run(partial(_call, name, arguments))

    async def _run(self, ask: Any) -> Any:
        run = asyncio.get_running_loop().run_in_executor(None, self._ask, ask)
        try:
            return await asyncio.wait_for(run, _DEADLINE)
        except asyncio.TimeoutError:
            raise Unsure(f"vast has not answered within {_DEADLINE:.0f} seconds.") from None

    def _ask(self, ask: Any) -> Any:
        """In a thread: one request. `retry` counts the tries, the first included."""
        import requests
        from vastai.api.client import VastClient

        client = VastClient(api_key=str(self._key), server_url=self._url, retry=1, timeout=self._patience)
        try:
            return ask(client)
        except requests.exceptions.JSONDecodeError:
            raise Unreadable("vast has answered with something that is no JSON.") from None
        except requests.exceptions.HTTPError as error:
            raise _explain(error.response) from None
        except requests.exceptions.RequestException as error:
            raise _tell_unanswered(error) from None
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unreadable(
                "vast's answer is not of the shape that is known.", "A newer choline may read it."
            ) from None


def _call(name: str, arguments: dict[str, Any], client: Any) -> Any:
    module, _, function = name.partition(".")
    return getattr(importlib.import_module(f"vastai.api.{module}"), function)(client, **arguments)


def _show(instance: int, client: Any) -> Any:
    answer = client.get(f"/instances/{instance}/", query_args={"owner": "me"})
    answer.raise_for_status()
    return answer.json()


def _list_gpus() -> list[str]:
    from vastai.data import query

    return [value for name, value in vars(query).items() if isinstance(value, str) and not name.startswith("_")]


def _explain(answer: Any) -> ProviderFailure:
    if answer.status_code == 429 and _QUOTA in answer.text:
        return Throttled("vast's daily quota of searches is used up.", "It begins anew at midnight UTC.", is_quota=True)
    return explain("vast", answer.status_code, answer.text, read_delay(answer.headers.get("Retry-After", "")))


def _tell_unanswered(error: Exception) -> ProviderFailure:
    """Whether the request can have arrived: not where no connection came about."""
    import requests
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    reason = getattr(error.args[0], "reason", None) if error.args else None
    never = isinstance(error, requests.exceptions.ConnectTimeout)
    if never or isinstance(reason, (NewConnectionError, ConnectTimeoutError)):
        return Refused("vast cannot be reached.", "Look at the network, then run it again.")
    return Unsure(f"vast has not answered ({type(error).__name__}).")
