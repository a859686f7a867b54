"""Modal's own package, as far as this provider uses it: clients, what failed in our words, the app that owns our sandboxes.

Called by the other modules of this folder, which get the package through `load`. Credentials are found as Modal's own tools
find them (environment variables, ~/.modal.toml), else where `choline login modal` put them.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from choline_jupyter.providers.credentials import Secret, find_key
from choline_jupyter.providers.endpoint import find_endpoint
from choline_jupyter.providers.failure import KeyRejected, ProviderFailure, Refused, Throttled, Unreadable, Unsure

if TYPE_CHECKING:
    import modal

NAME = "modal"
APP = "choline"  # the app of the user's account that our sandboxes belong to
_URL = "https://api.modal.com"
LOGIN = "Set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET, or run `modal token new`, or `choline login modal` with ID:SECRET."


class Token(NamedTuple):
    """The two halves of a token; neither shows itself."""

    id: Secret
    secret: Secret


class Account(NamedTuple):
    """A client that has said hello, and our app there."""

    client: modal.Client
    app: modal.App


_accounts: dict[tuple[str, Token], Account] = {}


def load() -> ModuleType:
    """Modal's package; raises Refused where it is not installed."""
    try:
        import modal
        import modal.exception
    except ImportError:
        raise Refused("The package `modal` is not installed.", "Run `pip install 'choline-jupyter[modal]'`.") from None
    return modal


def is_installed() -> bool:
    """Whether `load` would find it; without importing it."""
    return importlib.util.find_spec("modal") is not None


def find_token() -> Token | None:
    """The token of the fake cloud, of the environment, of Modal's own file, or of `choline login`. Imports the package
    only when there is a file of Modal's to be read. Raises KeyRejected for a login that is no token.
    """
    fake = find_endpoint(NAME, _URL).key
    if fake is not None:
        return read_token(fake) if fake else None
    pair = os.environ.get("MODAL_TOKEN_ID"), os.environ.get("MODAL_TOKEN_SECRET")
    if all(pair):
        return Token(Secret(pair[0]), Secret(pair[1]))
    if os.path.exists(os.environ.get("MODAL_CONFIG_PATH") or os.path.expanduser("~/.modal.toml")) and is_installed():  # noqa: PTH110, PTH111 - as Modal finds it
        from modal.config import config

        if config["token_id"] and config["token_secret"]:
            return Token(Secret(config["token_id"]), Secret(config["token_secret"]))
    key = find_key(NAME, ())
    return read_token(key) if key else None


def read_token(key: str) -> Token:
    """`ID:SECRET`; raises KeyRejected for anything else."""
    name, _, secret = key.partition(":")
    if not (name and secret):
        raise KeyRejected("A token for Modal has two halves, written as ID:SECRET.", LOGIN)
    return Token(Secret(name), Secret(secret))


async def open_account(token: Token | None = None) -> Account:
    """The account of this user, opened once in a process; raises ProviderFailure. What it makes there (an app) is free."""
    modal = load()
    token = token or find_token()
    if token is None:
        raise KeyRejected("There is no token for Modal.", LOGIN)
    url = find_endpoint(NAME, _URL, "MODAL_SERVER_URL").url
    if (url, token) not in _accounts:
        if os.environ.get("CHOLINE_FAKE_CLOUD"):
            os.environ["MODAL_SERVER_URL"] = url  # the package knows no other way
        with explain(is_harmless=True):
            client = await modal.Client.from_credentials.aio(str(token.id), str(token.secret))
            try:
                app = await modal.App.lookup.aio(APP, client=client, create_if_missing=True)
            except BaseException:
                await client.close.aio()
                raise
        _accounts[url, token] = Account(client, app)
    return _accounts[url, token]


async def close_accounts() -> None:
    """End every connection to Modal; the next call opens another."""
    while _accounts:
        _, account = _accounts.popitem()
        await account.client.close.aio()


@contextmanager
def explain(*, is_harmless: bool = False) -> Iterator[None]:
    """Raise what Modal's package raises as a ProviderFailure. `is_harmless`: the calls inside create nothing that costs."""
    from modal import exception

    try:
        yield
    except (ProviderFailure, asyncio.CancelledError):
        raise
    except (exception.AuthError, exception.PermissionDeniedError):
        raise KeyRejected("Modal does not take the token.", LOGIN) from None
    except exception.ConflictError as error:  # an InvalidError by name; what it is in conflict with may be ours
        raise Unsure(f"Modal has refused: {_clean(error)}") from None
    except exception.ResourceExhaustedError as error:
        raise _explain_shortage(error) from None
    except (exception.InvalidError, exception.NotFoundError, exception.UnimplementedError) as error:
        raise Refused(f"Modal has refused: {_clean(error)}") from None
    except exception.RemoteError as error:
        raise Refused(f"Modal could not build the image: {_clean(error)}") from None
    except (exception.Error, OSError, asyncio.TimeoutError) as error:
        if is_harmless:
            raise Refused(
                f"Modal cannot be reached: {_clean(error)}", "Look at the network, then run it again."
            ) from None
        raise Unsure(f"Modal has not answered: {_clean(error)}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"Modal's answer is not of the shape that is known: {_clean(error)}") from None


def _explain_shortage(error: Exception) -> ProviderFailure:
    """Too many calls are the server's word; no capacity is the package's own, after it has asked to end the sandbox."""
    if getattr(error, "_grpc_status", None) is not None:
        return Throttled("Modal wants fewer calls, or has no more room for this account.", "Wait a moment.")
    return Unsure(f"Modal has no machine: {_clean(error)}")


def _clean(error: BaseException) -> str:
    """Its first line, short and printable: it is shown in a cell."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return "".join(letter for letter in line[:200] if letter.isprintable()).rstrip(".") + "."
