"""What Modal has and what it costs: there is no list of offers to ask for, so the kinds of GPU are written down here.

Called by `provider`. The account's own rates are asked for and used where they can be read; what cannot be read comes from
the list below and is marked as not live. A sandbox's processors and memory are limited to what is asked for, because Modal
charges for whichever is more, the wish or the use: so the price is known before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from choline_jupyter.model.gpu import find_gpu
from choline_jupyter.model.offer import GIB, Offer, Price, Wish

LISTED = "2026-07-01"  # when these were the prices of modal.com/pricing
CORE, MEMORY = 0.00003942, 0.00000672  # USD per second: a physical core, a GiB, of sandboxes (three times a function's)
LIFE = 24 * 3600.0  # seconds that a sandbox may live at most
_DISK = 512 * GIB
_SMALL, _LARGE = (2, 16), (4, 32)  # cores and GiB that go with one GPU
_CPUS = (2, 4)
_FACTOR = 3.0  # a rate is believed that is within this factor of the list


@dataclass(frozen=True)
class Kind:
    """A kind of GPU: Modal's word, the word of `model.gpu`, GiB of memory, USD per second, how many in one sandbox."""

    word: str
    gpu: str
    memory: int
    rate: float
    most: int = 8

    @property
    def share(self) -> tuple[int, int]:
        return _SMALL if self.memory <= 24 else _LARGE


KINDS = (
    Kind("T4", "T4", 16, 0.000164),
    Kind("L4", "L4", 24, 0.000222),
    Kind("A10", "A10", 24, 0.000306, 4),
    Kind("L40S", "L40S", 48, 0.000542),
    Kind("A100-40GB", "A100 40GB", 40, 0.000583),
    Kind("A100-80GB", "A100 80GB", 80, 0.000694),
    Kind("RTX-PRO-6000", "RTX PRO 6000", 96, 0.000842),
    Kind("H100", "H100 SXM", 80, 0.001097),
    Kind("H200", "H200 SXM", 141, 0.001261),
    Kind("B200", "B200", 180, 0.001736),
)


class Rates:
    """USD per second, by the account's own rates as far as they can be read."""

    def __init__(self, told: Mapping[str, Any] | None = None) -> None:
        told = told or {}
        self._told = {key: float(value) for key, value in told.items()}

    def find_gpu(self, kind: Kind) -> tuple[float, bool]:
        """Of one GPU, and whether it is the account's own rate."""
        names = {_strip(kind.word), _strip(kind.word.removesuffix("-40GB"))}
        return self._find(kind.rate, lambda key: _strip(key) in names)

    def find_core(self) -> tuple[float, bool]:
        return self._find(CORE, lambda key: _is_of_sandbox(key) and "cpu" in key.lower())

    def find_memory(self) -> tuple[float, bool]:
        return self._find(MEMORY, lambda key: _is_of_sandbox(key) and "mem" in key.lower())

    def _find(self, listed: float, fits: Any) -> tuple[float, bool]:
        """Whether a rate is meant for a second or an hour is not documented: it is what is near the listed one."""
        for key, value in self._told.items():
            for rate in (value, value / 3600) if fits(key) else ():
                if listed / _FACTOR <= rate <= listed * _FACTOR:
                    return rate, True
        return listed, False


def make_offers(wish: Wish, rates: Rates) -> list[Offer]:
    """What fits the wish, cheapest first. In a region of one's choice Modal asks for a surcharge that it does not tell to
    programs, and there are no spot prices: such wishes get nothing.
    """
    if wish.region or wish.is_spot:
        return []
    offers = [_offer_gpu(kind, wish, rates) for kind in KINDS if _fits(kind, wish)]
    if not (wish.gpu or wish.count or wish.gpu_memory):
        offers.append(_offer(None, 0, _CPUS, wish, rates))
    return sorted(offers, key=lambda offer: offer.price.hour)


def _fits(kind: Kind, wish: Wish) -> bool:
    return (
        (not wish.gpu or find_gpu(wish.gpu).includes(kind.gpu))
        and wish.count <= kind.most
        and wish.gpu_memory <= kind.memory * GIB
    )


def _offer_gpu(kind: Kind, wish: Wish, rates: Rates) -> Offer:
    count = max(wish.count, 1)
    cores, memory = kind.share
    return _offer(kind, count, (cores * count, memory * count), wish, rates)


def _offer(kind: Kind | None, count: int, share: tuple[int, int], wish: Wish, rates: Rates) -> Offer:
    cores, memory = share[0], max(share[1], -(-wish.memory // GIB))
    gpu, gpu_is_live = rates.find_gpu(kind) if kind else (0.0, True)
    (core, core_is_live), (gib, gib_is_live) = rates.find_core(), rates.find_memory()
    words = f"{kind.word}:{count}" if kind else ""
    return Offer(
        "modal",
        words or "CPU",
        kind.gpu if kind else "",
        count,
        gpu_memory=kind.memory * GIB if kind else 0,
        cpus=2 * cores,  # a core of Modal's has two threads
        memory=memory * GIB,
        disk=_DISK,
        price=Price(3600 * (gpu * count + core * cores + gib * memory)),
        seconds=LIFE,
        is_live=gpu_is_live and core_is_live and gib_is_live,
        detail={"gpu": words, "cores": cores, "memory": memory * 1024},
    )


def _strip(name: str) -> str:
    """`gpu_a100_80gb`, `Nvidia A100, 80 GB` and `A100-80GB` are the same."""
    return re.sub(r"nvidia|gpu|gb|[^a-z0-9]", "", name.lower())


def _is_of_sandbox(key: str) -> bool:
    return "sandbox" in key.lower()
