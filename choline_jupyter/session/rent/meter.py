"""The meter: what an instance has cost so far and how long its budget lasts, as arithmetic on the ledger's rows.

Called by whatever shows or limits money; pure functions. Amounts are in USD and an estimate, unless the provider has told
its own figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from choline_jupyter.ledger.money import Period
from choline_jupyter.model.offer import GIB, Price

HOUR = 3600.0


class Cost(NamedTuple):
    """USD so far: of the machine with its GPUs, of its disk, of bytes moved."""

    machine: float = 0.0
    disk: float = 0.0
    transfer: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.machine + self.disk + self.transfer

    def plus(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(*(mine + its for mine, its in zip(self, other, strict=True)))


def measure_cost(periods: Sequence[Period], moved: tuple[int, int], price: Price, now: float) -> Cost:
    """What periods (the last goes on) and bytes moved (up, down) have cost until `now`, in seconds since the epoch."""
    machine = disk = running = rate = 0.0
    for period, end in zip(periods, [*(later.since for later in periods[1:]), now], strict=False):
        seconds = max(0.0, end - period.since)
        machine += seconds * period.machine / HOUR
        disk += seconds * period.disk / HOUR
        if period.machine:
            running, rate = running + seconds, period.machine
    charged = (
        max(price.minimum, math.ceil(running / price.step) * price.step) if running and price.step > 1 else running
    )
    return Cost(machine + (charged - running) * rate / HOUR, disk, price_transfer(price, *moved))


def price_transfer(price: Price, up: int, down: int) -> float:
    """USD for so many bytes to a machine and from it."""
    return price.upload * up / GIB + price.download * down / GIB


def find_hourly(periods: Sequence[Period]) -> float:
    """USD per hour now."""
    return periods[-1].machine + periods[-1].disk if periods else 0.0


def find_seconds(left: float, hourly: float) -> float:
    """How long `left` USD last at this price; for ever at none."""
    return max(0.0, left) / hourly * HOUR if hourly > 0 else math.inf


def render_money(amount: float) -> str:
    """`0.03 USD`; of less than a cent as much as can be told."""
    return f"{amount:.2f} USD" if amount >= 0.01 or amount == 0 else f"{amount:.4f} USD"
