"""The caretaker: what the keeper does for rented machines, whoever has rented them and whoever is awake.

Promises: ledger and providers are made to agree every ten minutes; a machine whose budget is spent or whose deadline has
passed is ended from here as well, within a minute, and one whose end a provider has not taken is asked for again.
"""

from __future__ import annotations

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.providers.failure import ProviderFailure
from choline_jupyter.providers.provider import Provider
from choline_jupyter.session.rent.fleet import USABLE, Fleet
from choline_jupyter.session.rent.losses import list_halted, note_losses
from choline_jupyter.session.rent.reconciler import EVERY, destroy, reconcile
from choline_jupyter.session.rent.suppliers import load_rented

_SOON = 60.0  # seconds between two rounds while something is being ended
_AT_ONCE = 5.0  # the same while a machine cannot be reached
_ENDING = (InstanceState.UNKNOWN, InstanceState.DESTROYING, InstanceState.DEAD)


class Caretaker:
    """Called again and again by the keeper's loop; looks at the providers no more often than is good for them."""

    def __init__(self, fleet: Fleet, store: EventStore) -> None:
        self._fleet, self._store = fleet, store
        self._looked: dict[str, float] = {}
        self._doubted: set[str] = set()

    async def is_needed(self) -> bool:
        """Whether any rented machine may exist."""
        return self._fleet.is_used and bool(await self._fleet.run(self._fleet.list_open))

    def doubt(self, providers: set[str]) -> None:
        """Machines of theirs cannot be reached now: they may be gone."""
        self._doubted = providers

    async def care(self) -> None:
        """A round, for each provider whose time it is."""
        if not self._fleet.is_used:
            return
        rows = await self._fleet.run(self._fleet.list_open)
        for provider in await self._fleet.run(_load_used, {row.provider for row in rows}):
            if await self._is_due(provider, [row for row in rows if row.provider == provider.name]):
                await self._look(provider)

    async def _is_due(self, provider: Provider, rows: list[InstanceRow]) -> bool:
        hurries = [row for row in rows if await self._hurries(row)]
        period = _SOON if hurries else EVERY
        if provider.name in self._doubted and any(row.state in USABLE for row in rows):
            period = _AT_ONCE
        return self._fleet.clock() - self._looked.get(provider.name, 0.0) >= period

    async def _hurries(self, row: InstanceRow) -> bool:
        is_ending = row.state in _ENDING or row.absences > 0
        return is_ending or await self._fleet.run(self._fleet.find_left, row) <= 0

    async def _look(self, provider: Provider) -> None:
        """A provider that cannot be asked is asked again in the next round."""
        self._looked[provider.name] = self._fleet.clock()
        try:
            await reconcile(self._fleet, provider)
            for halted in await self._fleet.run(list_halted, self._fleet, self._store, provider.name):
                await destroy(self._fleet, provider, halted)
        except ProviderFailure:
            self._looked[provider.name] -= EVERY - _SOON
        await self._fleet.run(note_losses, self._fleet, self._store)


def _load_used(names: set[str]) -> list[Provider]:
    return [provider for provider in load_rented(is_any=True) if provider.name in names]
