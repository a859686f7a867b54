"""What the providers of the user's own machines have in common: nothing is made there and nothing costs, so what was asked
for is there, under its label, until it is let go.
"""

from __future__ import annotations

from choline_jupyter.model.instance import InstanceState
from choline_jupyter.providers.provider import Order, Provider, Sighting


class OwnProvider(Provider):
    """Base of `local` and `ssh`; `options` are the connector's."""

    def __init__(self, options: tuple[str, ...] = ()) -> None:
        self._options = options
        self._labels: set[str] = set()

    async def create(self, order: Order) -> str:
        self._labels.add(order.label)
        return order.label

    async def list_mine(self) -> list[Sighting]:
        return [Sighting(label, label, InstanceState.READY) for label in sorted(self._labels)]

    async def describe(self, handle: str) -> Sighting | None:
        return Sighting(handle, handle, InstanceState.READY) if handle in self._labels else None

    async def destroy(self, handle: str) -> None:
        self._labels.discard(handle)
