"""What is wished for and what could be had: the wish of a run, an offer, and the parts of its price.

Made by `session` and `providers`, ranked by `session.market`, kept in the ledger with the instance that came of it. An
offer is data: what its provider needs to take it is in `detail`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Optional

GIB = 1 << 30
MONTH = 730.0  # hours, as the providers count them
ANY_NETWORK = "*"


@dataclass(frozen=True)
class Wish:
    """A machine wished for; empty and 0 mean that any will do.

    `gpu` is a name of `model.gpu`'s table, `count` how many on one machine, `gpu_memory` bytes of each; `memory` and
    `disk` are bytes of the machine. `max_price` is in USD per hour for the whole machine, `reliability` from 0 to 1.
    `network` is one (of a provider's) in which it is to be, ANY_NETWORK if any will do; empty where nobody has to reach it.
    """

    gpu: str = ""
    count: int = 0
    gpu_memory: int = 0
    memory: int = 0
    disk: int = 0
    is_spot: bool = False
    region: str = ""
    max_price: Optional[float] = None
    reliability: float = 0.0
    cuda: str = ""
    network: str = ""


ANYTHING = Wish()


@dataclass(frozen=True)
class Price:
    """What an offer costs: `hour` USD per hour for the machine with its GPUs while it is on its way or runs;
    `disk` and `stopped_disk` USD per GiB and month (730 h) while it runs and while it is stopped; `upload` (to the
    machine) and `download` USD per GiB. Time is charged in steps of `step` seconds, at least `minimum` seconds.
    """

    hour: float = 0.0
    disk: float = 0.0
    stopped_disk: float = 0.0
    upload: float = 0.0
    download: float = 0.0
    step: float = 1.0
    minimum: float = 0.0

    @property
    def is_free(self) -> bool:
        """Whether nothing of it costs anything."""
        return not (self.hour or self.disk or self.stopped_disk or self.upload or self.download)

    def find_hourly(self, disk: int, is_stopped: bool = False) -> float:
        """USD per hour with a disk of so many bytes: of the machine and its disk, or of the disk of a stopped one."""
        rate = self.stopped_disk if is_stopped else self.disk
        return (0.0 if is_stopped else self.hour) + rate * disk / GIB / MONTH


@dataclass(frozen=True)
class Offer:
    """What a provider would give now. `name` is the provider's own for it; sizes in bytes; 0 and None: not told.

    `gpu` is a name of `model.gpu`'s table where it is known, else the provider's word, `count` how many there are;
    `seconds` how long it can be had, `wait` how long it takes as far as is known; `is_live` is false for a price from a
    list that may be old. `detail` holds what `create` of the same provider needs, as JSON has it. All machines that are in one
    `network` of a provider's reach each other at all ports; told where the wish has one, since it may have to be asked for.
    """

    provider: str
    name: str
    gpu: str = ""
    count: int = 0
    gpu_memory: int = 0
    cpus: int = 0
    memory: int = 0
    disk: int = 0
    price: Price = Price()
    is_spot: bool = False
    region: str = ""
    reliability: Optional[float] = None
    cuda: str = ""
    seconds: float = 0.0
    wait: float = 0.0
    is_live: bool = True
    host: str = ""  # the provider's name of the physical machine, where it tells: what failed is remembered by it
    network: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def gpus(self) -> str:
        """`4x RTX 3090`; empty without one."""
        return (f"{self.count}x {self.gpu}" if self.count else self.gpu) if self.gpu else ""

    def to_json(self) -> str:
        """As text for the ledger."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


def read_offer(text: str) -> Offer:
    """What `to_json` gave; raises ValueError."""
    try:
        fields = json.loads(text)
        return Offer(**{**fields, "price": Price(**fields["price"])})
    except (KeyError, TypeError) as error:
        raise ValueError(f"no offer: {error}") from None
