"""What the providers with a REST API and machines that have an sshd have in common: a key, an address, a way.

Subclassed by them. `choline login` gives a key by `take_key`; else it is found where the provider's own tools keep it. With
CHOLINE_FAKE_CLOUD both are the fake's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from choline_jupyter.providers.api import Api
from choline_jupyter.providers.credentials import Secret, find_key
from choline_jupyter.providers.endpoint import find_endpoint
from choline_jupyter.providers.failure import KeyRejected, Unreadable
from choline_jupyter.providers.pace import find_pace
from choline_jupyter.providers.provider import ANY, Access, Contact, Provider
from choline_jupyter.providers.rented import make_way
from choline_jupyter.transport.channel import Transport


class RestProvider(Provider):
    """`url` is without a slash at its end, and what the environment's `url_variable` says goes before it;
    `key_files` are where the provider's own tools keep a key.
    """

    url: ClassVar[str]
    url_variable: ClassVar[str] = ""
    key_files: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self._endpoint = find_endpoint(self.name, self.url, self.url_variable)
        key = self._endpoint.key
        self._key = key if key is not None else find_key(self.name, self.key_variables, self.key_files)

    def take_key(self, key: str) -> None:
        self._key = Secret(key)

    def check_ready(self) -> str:
        if self._key:
            return ""
        return f"No key: set {self.key_variables[0]}, or run `choline login {self.name}` ({self.keys_at})."

    def connect(self, contact: Contact, access: Access = ANY) -> Transport:
        return make_way(contact, access)

    async def ask(self, method: str, path: str, body: Any = None, query: dict[str, Any] | None = None) -> Any:
        """The answer's JSON; raises ProviderFailure, without a call where there is no usable key."""
        if not self._key or not (self._key.isascii() and self._key.isprintable()):
            missing = self.check_ready() or f"The key for {self.name} holds characters that no key has."
            raise KeyRejected(missing, f"Run `choline login {self.name}`.")
        return await Api(self.name, self._endpoint.url, self._key).ask(method, path, body, query)

    async def wait_turn(self, call: str, interval: float) -> None:
        """Keep to a limit of the provider's; the fake cloud has its own (`interval` in its file)."""
        await find_pace(self._endpoint.url, call, float(self._endpoint.more.get("interval", interval))).wait()


@contextmanager
def reading(what: str) -> Iterator[None]:
    """What does not have the fields that are read within is `Unreadable`."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError):
        raise Unreadable(
            f"The answer's {what} is not of the shape that is known.", "A newer choline may read it."
        ) from None
