"""Whether an offer is what was wished for.

Used by the providers that get their whole list in one answer. What an offer does not tell is no reason to leave it out.
"""

from __future__ import annotations

from choline_jupyter.model.gpu import UnknownGpu, find_gpu
from choline_jupyter.model.offer import Offer, Wish


def fits(offer: Offer, wish: Wish) -> bool:
    """Every part of the wish that the offer tells of is fulfilled."""
    return (
        (offer.is_spot or not wish.is_spot)
        and _is_gpu(offer, wish)
        and (not wish.region or wish.region.casefold() in offer.region.casefold())
        and (wish.max_price is None or offer.price.hour <= wish.max_price)
        and _is_enough(offer.memory, wish.memory)
        and _is_enough(offer.disk, wish.disk)
        and (offer.reliability is None or offer.reliability >= wish.reliability)
    )


def _is_gpu(offer: Offer, wish: Wish) -> bool:
    if not (wish.gpu or wish.count or wish.gpu_memory):
        return True
    if (
        not offer.count
        or (wish.count and offer.count != wish.count)
        or not _is_enough(offer.gpu_memory, wish.gpu_memory)
    ):
        return False
    try:
        return not wish.gpu or find_gpu(wish.gpu).includes(offer.gpu)
    except UnknownGpu:
        return wish.gpu.casefold() == offer.gpu.casefold()


def _is_enough(told: int, wished: int) -> bool:
    return not told or told >= wished
