"""Whether an offer is what was wished for.

Used by the providers that get a whole list in one answer, and by `session.rent.market` for all of them.
"""

from __future__ import annotations

from choline_jupyter.model.gpu import find_gpu
from choline_jupyter.model.offer import ANY_NETWORK, Offer, Wish


def fits(offer: Offer, wish: Wish) -> bool:
    """Whether an offer is what was wished for; what it does not tell is not held against it."""
    return all((
        not wish.gpu or _is_gpu(offer.gpu, wish.gpu),
        offer.count >= max(wish.count, 1) if wish.gpu or wish.gpu_memory else True,
        not wish.count or offer.count == wish.count,
        _has(offer.gpu_memory, wish.gpu_memory),
        _has(offer.memory, wish.memory),
        _has(offer.disk, wish.disk),
        offer.is_spot is wish.is_spot or offer.price.is_free,
        not wish.region or wish.region.lower() in offer.region.lower(),
        wish.max_price is None or offer.price.hour <= wish.max_price,
        offer.reliability is None or offer.reliability >= wish.reliability,
        not wish.network or (bool(offer.network) and wish.network in (ANY_NETWORK, offer.network)),
        not wish.cuda or not offer.cuda or _read_version(offer.cuda) >= _read_version(wish.cuda),
    ))  # fmt: skip


def _is_gpu(offered: str, wished: str) -> bool:
    """Whether it is the one wished for or, where that is a family, one of it."""
    try:
        return offered == wished or find_gpu(wished).includes(offered)
    except ValueError:
        return False


def _has(there: int, wanted: int) -> bool:
    return not there or there >= wanted


def _read_version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
