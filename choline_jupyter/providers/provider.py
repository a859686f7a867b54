"""The interface every provider implements, and what it declares about itself.

Called by `session.engine`; implementations are found by `providers.registry`.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar

from choline_jupyter.transport.askpass import Ask
from choline_jupyter.transport.channel import Transport


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
class Offer:
    """What a provider would give now. Prices in USD per hour; memory in bytes."""

    provider: str
    name: str
    cpus: int
    memory: int
    gpus: tuple[str, ...] = ()
    price: float = 0.0


class Provider(abc.ABC):
    """A place machines come from. Instances are told apart by the label that `create` was given."""

    name: ClassVar[str]
    capabilities: ClassVar[frozenset[str]] = frozenset()
    is_this_machine: ClassVar[bool] = False

    @abc.abstractmethod
    async def list_offers(self) -> list[Offer]:
        """What could be had now, cheapest first. Called by `offers` and before `create`; no side effects."""

    @abc.abstractmethod
    async def create(self, label: str, offer: Offer) -> None:
        """Ask for an instance under a label that was never used before; its intent is on disk already."""

    @abc.abstractmethod
    async def list_mine(self) -> list[str]:
        """The labels of every instance that lives now; raises rather than leave one out."""

    @abc.abstractmethod
    async def destroy(self, label: str) -> None:
        """End an instance; one that is gone already is a success. Safe to call again."""

    @abc.abstractmethod
    def connect(self, label: str, access: Access = ANY) -> Transport:
        """The way to the agent on an instance; no I/O before its `open`. Raises ConfigError for an impossible label."""

    def find_python(self, label: str) -> str:
        """The interpreter for sessions on an instance; empty: the agent finds or makes one."""
        return ""
