"""One provider's REST API over httpx: every answer is data of the shape asked for, or a failure that says what it means.

Used by the providers that have no client package of their own. Promise: nothing is tried again here (who calls knows
whether it may be); a key enters no message; an answer that cannot be read is `Unreadable`, never "nothing".
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from choline_jupyter.providers.failure import (
    Absent,
    KeyRejected,
    ProviderFailure,
    Refused,
    Throttled,
    Unreadable,
    Unsure,
)

if TYPE_CHECKING:
    import ssl

    import httpx

    from choline_jupyter.providers.credentials import Secret

_PATIENCE = 30.0
_LARGEST = 64 << 20  # of an answer


class Api:
    """`base` without a slash at its end; `name` is the provider's for messages."""

    def __init__(self, name: str, base: str, key: Secret, patience: float = _PATIENCE) -> None:
        self._name, self._base, self._key, self._patience = name, base, key, patience

    async def ask(self, method: str, path: str, body: Any = None, query: dict[str, Any] | None = None) -> Any:
        """The JSON of a 2xx answer (None when empty); raises ProviderFailure."""
        import httpx

        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            async with httpx.AsyncClient(timeout=self._patience, headers=headers, verify=_make_context()) as client:
                answer = await client.request(method, self._base + path, json=body, params=query)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise Refused(f"{self._name} cannot be reached.", "Look at the network, then run it again.") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise Refused(f"{self._name} cannot be asked at {self._base[:100]!r}.", "Mend that address.") from None
        except httpx.HTTPError as error:
            raise Unsure(f"{self._name} has not answered ({type(error).__name__}).") from None
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> Any:
        if answer.status_code >= 300:
            delay = read_delay(answer.headers.get("Retry-After", ""))
            raise explain(self._name, answer.status_code, answer.text.replace(self._key, "***"), delay)
        if len(answer.content) > _LARGEST:
            raise Unreadable(f"{self._name} has answered with {len(answer.content)} bytes.")
        try:
            return answer.json() if answer.content.strip() else None
        except ValueError:
            raise Unreadable(f"{self._name} has answered with something that is no JSON.") from None


@functools.cache
def _make_context() -> ssl.SSLContext:
    """The certificates that are trusted; reading them takes longer than many a call."""
    import httpx

    return httpx.create_ssl_context()


def explain(name: str, code: int, text: str, delay: float = 0.0) -> ProviderFailure:
    """What an HTTP status above 299 means, with what the provider called `name` said; `delay` as `Throttled` has it."""
    said = f" ({_clean(_find_words(text))})" if text.strip() else ""
    if code in (401, 403):
        problem = "does not take the key" if code == 401 else f"does not allow that with this key{said}"
        return KeyRejected(f"{name} {problem}.", f"Run `choline login {name}` with a valid one.")
    if code == 429:
        return Throttled(f"{name} wants fewer calls{said}.", "Wait a moment.", delay)
    if code >= 500:
        return Unsure(f"{name} has failed with {code}{said}.")
    return (Absent if code == 404 else Refused)(f"{name} has refused with {code}{said}.")


def read_delay(told: str) -> float:
    """Seconds of a `Retry-After` header; 0 where it has none."""
    return float(told) if told.isdigit() else 0.0


def expect(kind: type, value: Any, what: str) -> Any:
    """`value` if it is of the type (a list's or an object's); raises Unreadable that names `what`."""
    if not isinstance(value, kind):
        raise Unreadable(f"The answer's {what} is not of the shape that is known.", "A newer choline may read it.")
    return value


def _find_words(text: str) -> str:
    """What an error's JSON says in words, in the forms that are in use; else all of it."""
    try:
        told = json.loads(text)
        error = told.get("error") or told
        words = error if isinstance(error, str) else error.get("message") or error.get("detail")
        return words if isinstance(words, str) else text
    except (ValueError, AttributeError):
        return text


def _clean(text: str) -> str:
    """Short and printable: it is shown in a cell."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:200]).strip()
