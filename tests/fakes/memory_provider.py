"""A provider that lives in memory: what it is asked for happens at once, and what it answers is as the test says.

For tests of the layers above the providers, thousands of runs of which must take no time. `alive` is what costs money,
whatever it tells anybody.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import ClassVar

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import ANYTHING, GIB, Offer, Price, Wish
from choline_jupyter.providers.config import ConfigError
from choline_jupyter.providers.failure import ProviderFailure, Refused, Unsure
from choline_jupyter.providers.provider import (
    ANY,
    LABEL,
    SELF_DESTROY,
    Access,
    Contact,
    Order,
    Provider,
    Sighting,
)
from choline_jupyter.transport.channel import Transport

OK, REFUSED, FAILED, FAILED_CREATED, LOST, LOST_CREATED = (
    "ok", "refused", "500", "500, created", "lost", "lost, created",
)  # fmt: skip


class MemoryProvider(Provider):
    """`answers` are those to the next creates; `lag` is how many listings do not have a new instance yet."""

    name: ClassVar[str] = "memory"
    capabilities: ClassVar[frozenset[str]] = frozenset({LABEL, SELF_DESTROY})

    def __init__(self, answers: tuple[str, ...] = (), lag: int = 0, offers: int = 3) -> None:
        self.answers, self.lag = list(answers), lag
        self.alive: dict[str, Order] = {}
        self.listed: dict[str, int] = {}
        self.created = 0
        self.offers = [_make_offer(number) for number in range(offers)]
        self.states: dict[str, InstanceState] = {}
        self.failures: dict[str, list[ProviderFailure]] = {}
        self.hour: float | None = None
        self.before: Callable[[str], None] = lambda call: None
        self._numbers = itertools.count(1)

    async def list_offers(self, wish: Wish = ANYTHING) -> list[Offer]:
        self._enter("offers")
        return self.offers

    async def create(self, order: Order) -> str:
        self._enter("create")
        answer = self.answers.pop(0) if self.answers else OK
        if answer == REFUSED:
            raise Refused("it is taken.")
        handle = f"m{next(self._numbers)}"
        if answer in (OK, FAILED_CREATED, LOST_CREATED):
            self.alive[handle] = order
            self.created += 1
        self.before("created")
        if answer != OK:
            raise Unsure(f"the provider has failed: {answer}.")
        return handle

    async def list_mine(self) -> list[Sighting]:
        self._enter("list")
        for handle in self.alive:
            self.listed[handle] = self.listed.get(handle, 0) + 1
        return [self._see(handle) for handle in self.alive if self.listed[handle] > self.lag]

    async def describe(self, handle: str) -> Sighting | None:
        self._enter("describe")
        return self._see(handle) if handle in self.alive else None

    async def destroy(self, handle: str) -> None:
        self._enter("destroy")
        self.alive.pop(handle, None)

    def connect(self, contact: Contact, access: Access = ANY) -> Transport:
        raise ConfigError(f"{contact.machine} lives in memory: nothing answers there.")

    def find_end(self) -> str:
        return "true"

    def _enter(self, call: str) -> None:
        self.before(call)
        if self.failures.get(call):
            raise self.failures[call].pop(0)

    def _see(self, handle: str) -> Sighting:
        state = self.states.get(handle, InstanceState.READY)
        return Sighting(handle, self.alive[handle].label, state, address="root@127.0.0.1:9", hour=self.hour)


def _make_offer(number: int) -> Offer:
    price = Price(0.4 + number / 10, 0.1, 0.2, 0.01, 0.02)
    return Offer("memory", f"offer-{number}", "RTX 3090", 4, 24 * GIB, price=price, host=f"host-{number}")
