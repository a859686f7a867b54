"""`choline login PROVIDER`: a key is asked for unseen, tried by one harmless call, and kept where providers look for it.

Called by `session.verbs`. Promise: the key is in no message, no log and no cell; one that does not work is not kept.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

from choline_jupyter.errors import RequestError
from choline_jupyter.providers.config import ConfigError
from choline_jupyter.providers.credentials import save_key
from choline_jupyter.providers.failure import KeyRejected, ProviderFailure
from choline_jupyter.providers.provider import Provider
from choline_jupyter.providers.registry import list_names, load_provider
from choline_jupyter.session.prompts import Answer

_LONGEST = 1000
_PATIENCE = 30.0
Call = Callable[[Coroutine[Any, Any, None]], None]


def log_in(name: str, answer: Answer | None, call: Call) -> str:
    """What to print. `answer` asks the user, `call` runs a coroutine and waits for it; raises RequestError."""
    provider = _find(name)
    key = _ask(provider, answer)
    provider.take_key(key)
    try:
        call(_try(provider))
    except KeyRejected as failure:
        raise RequestError(f"{failure} It was not kept.", f"Copy it again from {provider.keys_at}.") from None
    except (ProviderFailure, asyncio.TimeoutError) as failure:
        said = str(failure) or f"{name} has not answered."
        raise RequestError(f"The key could not be tried, and was not kept. {said}", "Try again later.") from None
    where = save_key(name, key)
    first = [variable for variable in provider.key_variables if os.environ.get(variable, key).strip() != key]
    notice = f" But {first[0]} is set, to another key, and goes before it." if first else ""
    return f"{name} takes the key; it is kept in {where}.{notice}"


def _find(name: str) -> Provider:
    try:
        provider = load_provider(name)
    except KeyError:
        known = ", ".join(found for found in list_names() if found not in ("local", "ssh"))
        raise RequestError(f"There is no provider {name!r}.", f"There are: {known}.") from None
    except (ImportError, ConfigError) as error:
        raise RequestError(f"{name} cannot be used: {error}.", "`choline doctor` says what is missing.") from None
    if not provider.keys_at:
        raise RequestError(f"{name} takes no key from choline.", provider.check_ready() or "It is ready as it is.")
    return provider


def _ask(provider: Provider, answer: Answer | None) -> str:
    nobody = RequestError("Nobody is there to type a key.", provider.check_ready() or "Run it in a terminal.")
    if answer is None:
        raise nobody
    try:
        key = answer(f"Key for {provider.name}, from {provider.keys_at}: ", True).strip()
    except Exception:  # noqa: BLE001 - a front end without input raises what it likes
        raise nobody from None
    if not key:
        raise RequestError("No key was typed.", "Nothing was changed.")
    if len(key) > _LONGEST or not key.isascii() or not key.isprintable() or " " in key:
        raise RequestError("That is no key: it holds blanks or characters that none has.", "Nothing was changed.")
    return key


async def _try(provider: Provider) -> None:
    await asyncio.wait_for(provider.list_mine(), _PATIENCE)
