"""The interface every provider implements, and what it declares about itself.

Called by `session`; implementations are found by `providers.registry`. docs/adding-a-provider.md is the recipe, and
tests/contracts/test_providers.py what each must pass. Every method that asks the provider raises `ProviderFailure`.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import ANYTHING, Offer, Wish
from choline_jupyter.providers.failure import Refused
from choline_jupyter.transport.askpass import Ask
from choline_jupyter.transport.channel import Transport

FREE = "free"  # nothing of it costs money
NEEDS_HOST = "needs_host"  # a machine must be named
SPOT = "spot"  # machines that may be taken away, for less
STOP = "stop"  # a machine can be stopped and keeps its disk
LABEL = "label_on_create"  # what is created has our label from the first moment
STARTUP = "startup_script"  # runs a script of ours before anybody connects
NATIVE_DEADLINE = "native_deadline"  # ends a machine by itself at a time given at create
SELF_DESTROY = "scoped_self_destroy"  # a machine can end itself, with a key that can do nothing else
PRICE_LIVE = "price_live"  # offers' prices are of this moment
MULTI_NODE = "multi_node"  # machines in one network of its own, where a wish asks for that
BILLED = "billed"  # tells what it has charged


@dataclass(frozen=True)
class Access:
    """How a machine may be reached: whether an agent may be started there, who answers questions (None: nobody), the
    fingerprint (SHA256:...) of an unknown host key that the user has accepted beforehand, and through which ssh client
    (openssh, paramiko, empty: the first there is).
    """

    start: bool = True
    ask: Ask | None = None
    accept_key: str = ""
    client: str = ""


ANY = Access()


@dataclass(frozen=True)
class Contact:
    """Whom to connect to. `machine` is a machine of the user's own in their words, or an instance's label.

    Of a rented one: `handle` is the provider's name, `address` (user@name:port) what it has told, `host_key`
    (`ssh-ed25519 AAAA...`) the key that it must have; in `keys` is `id`, the private key that opens it.
    """

    machine: str
    handle: str = ""
    address: str = ""
    host_key: str = ""
    keys: Path | None = None


@dataclass(frozen=True)
class Order:
    """What `create` is asked for. The intent is in the ledger already; `label` was never used before.

    `public_key` is what opens the machine; `host_key` the private host key (OpenSSH's text) that it is to take, and
    `startup` the script that its first process runs as root where the provider can (it installs both keys and starts the
    watchdog; `providers.startup` makes it). `deadline` is in seconds from now: a provider with `native_deadline` is told.
    `bid` is USD per hour, for spot offers. `disk` is in bytes.
    """

    label: str
    offer: Offer
    disk: int
    deadline: float
    public_key: str = ""
    host_key: str = ""
    startup: str = ""
    bid: float = 0.0
    image: str = ""


@dataclass(frozen=True)
class Sighting:
    """An instance as its provider tells of it now. `label` empty: not ours. `hour` is the price of now in USD per hour, the
    disk's not counted, `billed` what it has charged so far in USD, `started_at` seconds since the epoch; None: not told.
    """

    handle: str
    label: str
    state: InstanceState
    reason: str = ""
    address: str = ""
    hour: float | None = None
    billed: float | None = None
    started_at: float | None = None


class Provider(abc.ABC):
    """A place machines come from. Instances are told apart by the label that `create` was given."""

    name: ClassVar[str]
    capabilities: ClassVar[frozenset[str]] = frozenset()
    is_this_machine: ClassVar[bool] = False
    user: ClassVar[str] = "root"  # who logs in to its machines
    boot: ClassVar[float] = 600.0  # seconds that an instance may take until it runs; then it is destroyed
    key_variables: ClassVar[tuple[str, ...]] = ()  # of the environment, that may hold its key
    keys_at: ClassVar[str] = ""  # where a user finds the key that `choline login` asks for; empty: it takes none

    @property
    def needs_laptop(self) -> bool:
        """Whether nothing but this machine would end a forgotten instance: asks for consent (promise P2)."""
        return not self.capabilities & {FREE, NATIVE_DEADLINE, SELF_DESTROY}

    @abc.abstractmethod
    async def list_offers(self, wish: Wish = ANYTHING) -> list[Offer]:
        """What could be had now that fits the wish, cheapest first. Called by `offers` and before `create`; no side
        effects. What it cannot filter by it leaves in: `session.market` filters again.
        """

    @abc.abstractmethod
    async def create(self, order: Order) -> str:
        """Ask for an instance, once; returns its handle. Raises Refused when nothing was made, and Unsure or Unreadable
        when something may have been: the caller looks for the label and never asks again with the same one.
        """

    @abc.abstractmethod
    async def list_mine(self) -> list[Sighting]:
        """Every instance of the account that lives now, all pages; raises rather than leave one out."""

    @abc.abstractmethod
    async def describe(self, handle: str) -> Sighting | None:
        """One instance; None when the provider does not know it (now: that alone is no proof that it is gone)."""

    @abc.abstractmethod
    async def destroy(self, handle: str) -> None:
        """Have an instance ended; one that is gone already is a success. Safe to call again. That it is gone is known by
        `list_mine` only.
        """

    async def stop(self, handle: str) -> None:
        """Stop an instance whose disk is kept and paid for; without the capability `stop` this is Refused."""
        raise Refused(f"Machines of {self.name} cannot be stopped.", "`choline stop` ends them.")

    @abc.abstractmethod
    def connect(self, contact: Contact, access: Access = ANY) -> Transport:
        """The way to the agent on an instance; no I/O before its `open`. Raises ConfigError for an impossible machine."""

    def find_python(self, machine: str) -> str:
        """The interpreter for sessions on an instance; empty: the agent finds or makes one."""
        return ""

    def find_end(self) -> str:
        """With `scoped_self_destroy`: the shell command by which a machine ends itself; it is tried until it works."""
        return ""

    def check_ready(self) -> str:
        """Empty when it can be used; else one sentence on what is missing (a key, a package). No network."""
        return ""

    def take_key(self, key: str) -> None:
        """From now on use this key and not the one that was found; without `keys_at` this is Refused. No network."""
        raise Refused(f"{self.name} has no key.", "It needs no login.")

    async def find_credit(self) -> float | None:
        """What the account has left in USD; None where the provider does not tell."""
        return None
