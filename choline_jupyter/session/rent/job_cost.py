"""What one job has cost: its machine's price over the time that the job ran, of whatever was rented.

Called by `session.job_record` for each checkpoint and by `session.experiments`. An estimate, as all of the meter: without bytes
moved and without the provider's least charge, which are the machine's and no job's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from choline_jupyter.ledger.money import Period
from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.model.job import JobRow
from choline_jupyter.model.offer import Price
from choline_jupyter.model.session import SessionRow
from choline_jupyter.session.rent.fleet import Fleet, find_offer
from choline_jupyter.session.rent.meter import measure_cost

_OWN = ("local", "ssh")


class JobCost(NamedTuple):
    """USD, None where it is not known; and the GPUs as the machine's offer names them."""

    usd: float | None
    gpus: str = ""


def find_job_cost(fleet: Fleet, row: SessionRow | None, job: JobRow) -> JobCost:
    """Of a job that runs, what it has cost so far."""
    if row is None or row.provider in _OWN:
        return JobCost(0.0 if row else None)
    with suppress(StoreError):
        for machine in fleet.ledger.list_instances() if fleet.is_used else ():
            if machine.label == row.machine:
                end = min(job.ended_at or fleet.clock(), machine.ended_at or fleet.clock())
                periods = fleet.ledger.money.list_periods(machine.id)
                return JobCost(price_span(periods, job.started_at or end, end), find_offer(machine).gpus)
    return JobCost(None)


def price_span(periods: Sequence[Period], start: float, end: float) -> float:
    """USD from `start` to `end`, in seconds since the epoch."""
    clipped = [period._replace(since=max(period.since, start)) for period in periods if period.since < end]
    return measure_cost(clipped, (0, 0), Price(), max(start, end)).total
