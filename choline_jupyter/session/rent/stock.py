"""The stock: the offers that machines are tried from, each physical machine once, all in one network where they have to be.

Made by `session.rent.renter` for one rent; in its loop, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from choline_jupyter.session.rent.market import Ranked

TRIES = 5  # offers for one machine


class Stock:
    """Offers, the best first. One that names its host is that machine and is given to one; any other is a kind of machine."""

    def __init__(self, offers: Iterable[Ranked]) -> None:
        self._offers = list(offers)

    def take(self, tried: list[Ranked]) -> Ranked | None:
        """The best one that was not tried yet, which is noted as tried; None when there is no more."""
        ranked = next((one for one in self._offers if one not in tried), None)
        if ranked:
            tried.append(ranked)
            if ranked.offer.host:
                self._offers.remove(ranked)
        return ranked


def choose(offers: Sequence[Ranked], count: int, *, has_network: bool) -> list[Ranked]:
    """What `count` machines are tried from, with a network all of them in the one in which they cost least together; empty
    where nobody has so many.
    """
    paid = [one for one in offers if not one.offer.price.is_free]
    networks = {_find_network(one): None for one in paid} if has_network else {}
    groups = [[one for one in paid if _find_network(one) == network] for network in networks] or [paid]
    weights = [(weight, group) for group in groups if (weight := _weigh(group, count))]
    _, best = min(weights, key=lambda one: one[0], default=(None, []))
    return best[: TRIES + count - 1]


def _weigh(group: Sequence[Ranked], count: int) -> tuple[int, float] | None:
    """How often the hosts of the best of so many machines have failed, and what they cost together; None for too few."""
    taken: list[Ranked] = []
    for one in group:
        taken += [one] if one.offer.host else [one] * (count - len(taken))
        if len(taken) == count:
            return sum(ranked.failures for ranked in taken), sum(ranked.total for ranked in taken)
    return None


def _find_network(one: Ranked) -> tuple[str, str]:
    return one.offer.provider, one.offer.network
